/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what /proc/PID/status says about a process. */
#ifndef CPROF_TARGET_PROCESS_STATUS_H
#define CPROF_TARGET_PROCESS_STATUS_H

#include "base/types.h"

/* The lines of /proc/PID/status that are used here. */
struct process_status {
	long tgid, uid, ns_pid, seccomp, tracer; /* -1 if there is no such line */
	/* signals, with the first one in the lowest bit; all bits if there is no such line */
	u64 caught, ignored;
	bool shadow_stack;
};

/* `dir` is the directory of the process (proc_dir_open). Returns 0 or a negative errno. */
int process_status_read(int dir, struct process_status *s) MUST_CHECK;

#endif
