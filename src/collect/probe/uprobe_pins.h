/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes that cprof never leaves behind, however it ends.
 *
 * The kernel cannot remove a breakpoint from a process in a thread that is being killed. It looks
 * up the page with get_user_pages(), which a fatal signal ends early, and then the breakpoint stays
 * for as long as the process runs ("failed to unregister, leaking uprobe",
 * kernel/events/uprobes.c). Two things prevent that:
 *
 * - Links are pinned in a BPF file system that is not mounted anywhere; its only reference is a
 *   descriptor of cprof. Removing a pin, or closing that descriptor by dying, leaves the removal of
 *   the breakpoints to a worker thread of the kernel (bpf_link_put(), since 5.8), which takes no
 *   signals. Nothing waits for it.
 * - While probes are being attached, a guard is at the same places. It is a link for a task that
 *   has
 *   no memory, so it writes no breakpoint. When it is removed, also by a worker, the kernel removes
 *   all breakpoints there that have no holder, including those of an attachment that was killed
 *   half
 *   way through. Each call of a probed function costs 40 ns for a guard, so it does not stay.
 */
#ifndef CPROF_COLLECT_UPROBE_PINS_H
#define CPROF_COLLECT_UPROBE_PINS_H

#include <sys/types.h>

#include "base/log.h"
#include "base/vec.h"
#include "collect/collector.h"
#include "collect/probe/uprobe.h"

struct uprobe_pins;

/* An attached link, by its descriptor or, if that is negative, by the number of its pin. */
struct uprobe_link {
	int fd;
	u32 pin;
	u32 id; /* the kernel's number of it, or 0 if it is not known */
};

typedef VEC(struct uprobe_link) uprobe_links;

/*
 * `multi` says that the kernel has uprobe_multi links, which are then used as guards; otherwise
 * guards are perf events. If the kernel allows no pins or no guards, that is reported to `log`, and
 * probes work without them; a kill at the wrong moment then leaves breakpoints behind. `opt` has
 * the log and the store with the other recordings, both of which are borrowed and may be NULL.
 */
int uprobe_pins_new(bool multi, const struct collect_options *opt,
		    struct uprobe_pins **out) MUST_CHECK;
/* Releases everything that is pinned. NULL is allowed. */
void uprobe_pins_free(struct uprobe_pins *p);

/* Does uprobe_attach() at guarded places, and pins what is attached by a link. After the last one
 * call _rest(). */
int uprobe_pins_attach(struct uprobe_pins *p, int prog_fd, enum uprobe_type type, bool links,
		       const char *path, pid_t tgid, const struct uprobe_place *places, u32 n,
		       uprobe_links *out) MUST_CHECK;
/* Removes guards that are no longer needed. */
void uprobe_pins_rest(struct uprobe_pins *p);
/* Forgets the places in a file that no process has any more. */
void uprobe_pins_forget(struct uprobe_pins *p, u64 inode);
/*
 * Pinned links disappear meanwhile: see uprobe_pins_wait_gone(). Perf events are closed, many at a
 * time, with their guards still there; pinned, they would be removed one after another, some 80 ms
 * each.
 */
void uprobe_pins_detach(struct uprobe_pins *p, uprobe_links *links);

/*
 * Makes the kernel remove the breakpoints without a holder at these places from every process,
 * which are those of probes whose removal failed once. This takes some milliseconds. Breakpoints
 * where other programs have probes stay.
 */
void uprobe_pins_sweep(struct uprobe_pins *p, const char *path, const struct uprobe_place *places,
		       u32 n);

/*
 * Tells other recordings of the store that this one has probes in the process. Returns false if
 * there are none, or without memory; otherwise call _end_process() before _wait_gone().
 */
bool uprobe_pins_begin_process(struct uprobe_pins *p, pid_t tgid) MUST_CHECK;
void uprobe_pins_end_process(struct uprobe_pins *p, pid_t tgid);
/* Returns whether recordings, except for this one before its _begin_process() and after its
 * _end_process(), have probes in the process. */
bool uprobe_pins_others_probe(const struct uprobe_pins *p, pid_t tgid);

/*
 * Waits until what was detached is gone and these processes have no breakpoints where probes were,
 * for two seconds at most. Processes in which other recordings have probes are not waited for.
 * Breakpoints that are there after that, in spite of a sweep, belong to another program.
 */
void uprobe_pins_wait_gone(struct uprobe_pins *p, const pid_t *tgids, size_t n);

#endif
