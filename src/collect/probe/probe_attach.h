/* SPDX-License-Identifier: Apache-2.0 */
/* Attaches programs to many places of one file, of which the kernel may refuse some. */
#ifndef CPROF_COLLECT_PROBE_ATTACH_H
#define CPROF_COLLECT_PROBE_ATTACH_H

#include "base/log.h"
#include "collect/probe/uprobe_pins.h"

/* Says where probes go: to one process (tgid 0 for all), through a path that the kernel can
 * follow. All of it is borrowed. */
struct attach_target {
	struct uprobe_pins *pins;
	const struct log *log;
	pid_t tgid;
	const char *path;
	uprobe_links *links; /* what is attached is appended */
	u32 attached; /* how many places have been attached so far */
};

/*
 * Does uprobe_pins_attach() for all places. The kernel accepts either all places of a link or none,
 * so after a refusal they are attached one by one, and only a refused place has no probe, which is
 * reported to the log. Returns -ENOENT if what the path leads to is no longer mapped, and -ESRCH if
 * the process has ended. After an error, `links` has what was attached before it.
 */
int attach_places(struct attach_target *t, int prog_fd, enum uprobe_type type, bool links,
		  const uprobe_places *places) MUST_CHECK;

#endif
