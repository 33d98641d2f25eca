/* SPDX-License-Identifier: Apache-2.0 */
/* Puts the probes of a set into the targets of a recording, and into what they start and load
 * later. */
#ifndef CPROF_COLLECT_PROBE_FOLLOW_H
#define CPROF_COLLECT_PROBE_FOLLOW_H

#include "collect/probe/probe_set.h"
#include "collect/session/process_watch.h"
#include "target/select.h"

/* Attaches to all targets that have not ended. Breakpoints that were left in them are removed
 * before. If nothing is found, they are searched again for 50 ms, because they may be calling exec,
 * and for 500 ms if they do so again and again.
 * Call uprobe_pins_rest() after it. */
int probe_set_add_targets(struct probe_set *s, const struct target *t,
			  struct error *err) MUST_CHECK;

/* Says which processes are followed; as in struct process_watch_options. */
struct followed_processes {
	int targets_fd, new_processes_fd;
	pid_t begun; /* a process that has just begun; 0 for none */
	void (*heard)(void *arg, const struct new_process *news); /* may be NULL */
	/* Called each time before a process is searched; may be NULL. */
	void (*found)(void *arg, pid_t tgid);
	void *heard_arg; /* of both */
};

/* Starts to search them for new files, in a thread of its own: see process_watch.h. */
int probe_set_follow(struct probe_set *s, const struct followed_processes *which,
		     struct process_watch **out, struct error *err) MUST_CHECK;

#endif
