/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaches BPF programs to places in files, without tracefs: by a uprobe_multi link (6.6; sessions,
 * which are entry and return in one program, 6.13), which Debian 12's libbpf does not know, or by
 * one event of the perf uprobe PMU for each place (4.17). Closing what was attached removes every
 * probe from every process, unless the thread that closes it is killed meanwhile: see
 * uprobe_pins.h.
 */
#ifndef CPROF_COLLECT_UPROBE_H
#define CPROF_COLLECT_UPROBE_H

#include <sys/types.h>

#include "base/error.h"
#include "base/log.h"
#include "base/vec.h"
#include "collect/features.h"
#include "collect/uprobe_link.h"

enum uprobe_type {
	UPROBE_ENTRY,
	UPROBE_RETURN, /* when the function returns; the stack must be as at the entry */
	UPROBE_SESSION, /* both, in one program; only with links */
};

/* Lists the ways to attach probes, from the oldest to the best. */
enum uprobe_way {
	UPROBE_WAY_PERF, /* 4.17: a perf event for each */
	UPROBE_WAY_MULTI, /* 6.6: one link for many */
	UPROBE_WAY_SESSION, /* 6.13: the entry program decides whether there is a return probe */
};

const char *uprobe_way_name(enum uprobe_way way); /* "perf events" */
/* Chooses the best way that this kernel has and that the user allows (collect_options.uprobes). */
int uprobe_way_choose(const struct features *f, const char *most, const struct log *log,
		      enum uprobe_way *out, struct error *err) MUST_CHECK;

struct uprobe_place {
	u64 offset; /* in the file */
	u64 cookie; /* what bpf_get_attach_cookie() returns */
};

typedef VEC(struct uprobe_place) uprobe_places;
typedef VEC(int) uprobe_fds;

/*
 * Attaches `prog_fd` at all places of the file at `path`, for one process (0 for all that map it).
 * It uses a link if `links` is set, for which the program must have been loaded. It appends to
 * `fds`; on failure, what was attached at other places stays there.
 */
int uprobe_attach(int prog_fd, enum uprobe_type type, bool links, const char *path, pid_t tgid,
		  const struct uprobe_place *places, u32 n, uprobe_fds *fds) MUST_CHECK;
void uprobe_detach(uprobe_fds *fds);

#endif
