/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes that no death of cprof leaves behind.
 *
 * The kernel cannot take a breakpoint out of a process in a thread that is being killed: it looks the page up
 * with get_user_pages(), which a fatal signal ends early, and then the breakpoint stays for as long as the process
 * lives ("failed to unregister, leaking uprobe", kernel/events/uprobes.c). Two things keep that from happening:
 *
 * - Links are pinned in a BPF file system that is mounted nowhere; its only reference is a descriptor of
 *   cprof. Removing a pin, or closing that descriptor by dying, leaves the removal of the breakpoints
 *   to a worker thread of the kernel (bpf_link_put(), since 5.8), which takes no signals. Nobody waits for it.
 * - While probes are being attached, a guard is at the same places: a link for a task that has no memory, which
 *   therefore writes no breakpoint. When it goes, by a worker as well, the kernel removes all breakpoints there
 *   that nobody holds: also those of an attachment that was killed half way through. Each call of a probed
 *   function pays 40 ns for a guard, so it does not stay.
 */
#ifndef CPROF_COLLECT_UPROBE_PINS_H
#define CPROF_COLLECT_UPROBE_PINS_H

#include <sys/types.h>

#include "base/log.h"
#include "base/vec.h"
#include "collect/probe/uprobe.h"

struct uprobe_pins;

/* An attached link: by its descriptor, or, when that is negative, by the number of its pin. */
struct uprobe_link {
	int fd;
	u32 pin;
	u32 id; /* the kernel's number of it; 0: not known */
};

typedef VEC(struct uprobe_link) uprobe_links;

/*
 * `multi`: the kernel has uprobe_multi links, which guards then are; else they are perf events. Where
 * the kernel allows no pins or no guards, `log` is told, and probes work without: a kill at the wrong moment then
 * leaves breakpoints behind.
 */
int uprobe_pins_new(bool multi, const struct log *log, struct uprobe_pins **out) MUST_CHECK;
/* Lets go of everything that is pinned. NULL is fine. */
void uprobe_pins_free(struct uprobe_pins *p);

/* uprobe_attach() at guarded places; what is attached by a link is pinned. Once that is all: _rest(). */
int uprobe_pins_attach(struct uprobe_pins *p, int prog_fd, enum uprobe_type type, bool links,
		       const char *path, pid_t tgid, const struct uprobe_place *places, u32 n,
		       uprobe_links *out) MUST_CHECK;
/* Takes guards away that are needed no longer. */
void uprobe_pins_rest(struct uprobe_pins *p);
/*
 * Pinned links go meanwhile: see uprobe_pins_wait_gone(). Perf events are closed, many at a time, with
 * their guards still there: pinned, they would go one after another, some 80 ms each.
 */
void uprobe_pins_detach(struct uprobe_pins *p, uprobe_links *links);

/*
 * Has the kernel remove the breakpoints at these places that nobody holds, from every process: those of probes
 * whose removal failed once. That takes some milliseconds. Breakpoints of others stay where the others are probes.
 */
void uprobe_pins_sweep(struct uprobe_pins *p, const char *path, const struct uprobe_place *places,
		       u32 n);

/*
 * Waits until what was detached is gone and these processes have no breakpoints where probes were; for two
 * seconds at most. Those that are there after that, in spite of a sweep, are another program's.
 */
void uprobe_pins_wait_gone(struct uprobe_pins *p, const pid_t *tgids, size_t n);

#endif
