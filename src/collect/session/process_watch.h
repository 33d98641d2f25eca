/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks through the processes that are recorded for files that were not there before, in a thread of its own:
 * opening a file, reading its symbols and attaching probes take milliseconds each, in which samples are to be
 * taken in and the end of the recording is to be kept.
 *
 * A process that has begun is looked through at once, and again after 2, 4, 8 ... 256 ms, while its libraries come; all
 * processes are, twice a second.
 */
#ifndef CPROF_COLLECT_PROCESS_WATCH_H
#define CPROF_COLLECT_PROCESS_WATCH_H

#include <sys/types.h>

#include "base/types.h"

/* What is done with processes, always in the watch's thread. */
struct process_watch_ops {
	/* Looks through one; false: it has ended, or is about to. */
	bool (*look)(void *arg, pid_t tgid);
	/* Forgets what was known of one: it has ended, or another process has its number now. */
	void (*forget)(void *arg, pid_t tgid);
	void (*forget_ended)(void *arg); /* of all */
	void (*rest)(void *arg); /* there is nothing to look through for the moment */
};

struct process_watch_options {
	const struct process_watch_ops *ops;
	void *arg;
	int targets_fd; /* the BPF map of the processes that are recorded */
	int new_processes_fd; /* a BPF ring buffer of struct new_process; -1: nobody tells of new processes */
	const pid_t *begun; /* processes that have just begun */
	size_t nbegun;
};

struct process_watch;

/* 0, or a negative errno. */
int process_watch_start(const struct process_watch_options *opt,
			struct process_watch **out) MUST_CHECK;

struct process_watch_stats {
	u64 begun; /* processes that began, or ran another program, meanwhile */
	u64 missed; /* of these, those that ended, or the watch did, before they were looked through */
};

/* Waits for what is being done with one process; what else there is to do is left. NULL is fine, and twice. */
void process_watch_stop(struct process_watch *w);
/* At any time; NULL: nothing is watched. */
struct process_watch_stats process_watch_stats(const struct process_watch *w);
void process_watch_free(struct process_watch *w); /* stops it; NULL is fine */

#endif
