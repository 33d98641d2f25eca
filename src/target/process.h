/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads what /proc says about one process. Its contents are under the control of whoever runs the
 * process, so reads are bounded and fields are parsed with their sizes. The process may vanish
 * between any two calls (-ESRCH).
 */
#ifndef CPROF_TARGET_PROCESS_H
#define CPROF_TARGET_PROCESS_H

#include <sys/types.h>

#include "base/bpf_shared.h"
#include "base/error.h"
#include "base/types.h"
#include "base/vec.h"

struct process_info {
	/* a pid_t is always a number in cprof's own PID namespace (pid_space.h) */
	pid_t tgid, ppid;
	uid_t uid; /* effective */
	u64 start_time; /* in clock ticks since boot; it tells a reused PID from the old one */
	struct inner_pid inner; /* its number in its own PID namespace (NSpid) */
	bool kernel_thread;
	bool zombie;
	char comm[64];
	char exe[512]; /* target of /proc/PID/exe, or "" if unreadable */
};

typedef VEC(pid_t) pid_vec;

int process_read(pid_t tgid, struct process_info *out) MUST_CHECK;
/* Finds the tgid of thread `tid`, because a user may name any thread of a process. */
int process_tgid_of(pid_t tid, pid_t *tgid) MUST_CHECK;
/*
 * Returns whether breakpoints in its code may belong to itself or to its debugger: it handles
 * SIGTRAP, or it is traced (ptrace(2)). It is also true if that cannot be determined.
 */
bool process_expects_traps(pid_t tgid);
/* whether its first thread has a seccomp filter (seccomp(2)) */
bool process_filters_syscalls(pid_t tgid);
/* Returns whether its first thread has a shadow stack. */
bool process_has_shadow_stack(pid_t tgid);
int process_threads(pid_t tgid, pid_vec *out) MUST_CHECK; /* appends */
/* appends all descendants, but not the process itself */
int process_children(pid_t tgid, pid_vec *out) MUST_CHECK;
int process_list(pid_vec *out) MUST_CHECK; /* every tgid of the machine that has user memory */
/* Returns whether a process other than `except` runs the program at this path. */
bool process_runs_elsewhere(const char *path, pid_t except);
int thread_comm(pid_t tgid, pid_t tid, char *out, size_t size); /* "" and -ESRCH if it is gone */
/*
 * Returns for how many nanoseconds a thread was runnable but waited for a CPU (run_delay of
 * schedstat, Documentation/scheduler/sched-stats.rst). It is 0 if the thread is gone, or on a
 * kernel without CONFIG_SCHED_INFO.
 */
u64 thread_queued_ns(pid_t tgid, pid_t tid);
/* whether the start time is the same and it is not a zombie */
bool process_alive(pid_t tgid, u64 start_time);
/*
 * Builds the path of `name` ("maps", "exe", "root") of a process: "/proc/4711/maps", or
 * "/proc/4711/task/4712/maps" if the first thread has ended before others, as its own files are
 * then empty.
 */
#define PROCESS_PATH_MAX 64
void process_path(pid_t tgid, const char *name, char out[PROCESS_PATH_MAX]);

#endif
