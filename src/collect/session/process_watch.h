/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Searches the recorded processes for new files, in a separate thread. Opening a file, reading its
 * symbols and attaching probes take milliseconds each, during which samples must be taken in and
 * the recording must be able to end.
 *
 * A process that has begun is searched at once, and again after 2, 4, 8 ... 256 ms, while its
 * libraries are loaded. All processes are searched twice a second.
 */
#ifndef CPROF_COLLECT_PROCESS_WATCH_H
#define CPROF_COLLECT_PROCESS_WATCH_H

#include <sys/types.h>

#include "base/bpf_shared.h"
#include "base/types.h"

/* What is done with processes, always in the watch's thread. */
struct process_watch_ops {
	/* Searches one process; false if it has ended, or is about to. */
	bool (*look)(void *arg, pid_t tgid);
	/* Forgets what was known about one: it has ended, or another process has its number now. */
	void (*forget)(void *arg, pid_t tgid);
	void (*forget_ended)(void *arg); /* does the same for all that have ended */
	void (*rest)(void *arg); /* there is nothing to search at the moment */
};

struct process_watch_options {
	const struct process_watch_ops *ops;
	void *arg;
	int targets_fd; /* the BPF map of the recorded processes */
	/* a BPF ring buffer of struct new_process; -1 if new processes are not reported */
	int new_processes_fd;
	const pid_t *begun; /* processes that have just begun */
	size_t nbegun;
	/* Called in the watch's thread with all that is reported, before anything is searched for
	 * it; may be NULL. */
	void (*heard)(void *arg, const struct new_process *news);
	void *heard_arg;
};

struct process_watch;

/* Returns 0 or a negative errno. */
int process_watch_start(const struct process_watch_options *opt,
			struct process_watch **out) MUST_CHECK;

struct process_watch_stats {
	u64 begun; /* processes that began, or ran another program, meanwhile */
	u64 missed; /* those of them that ended, or the watch did, before they were searched */
};

/* Waits until the current process is done, and leaves the rest undone. NULL is allowed, and so is
 * calling it twice. */
void process_watch_stop(struct process_watch *w);
/* May be called at any time; NULL if nothing is watched. */
struct process_watch_stats process_watch_stats(const struct process_watch *w);
void process_watch_free(struct process_watch *w); /* stops it; NULL is allowed */

#endif
