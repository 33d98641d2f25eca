/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /proc says of one process. Everything there belongs to whoever runs the process: reads are
 * bounded, fields are parsed with their sizes, and the process may vanish between any two calls
 * (-ESRCH).
 */
#ifndef CPROF_TARGET_PROCESS_H
#define CPROF_TARGET_PROCESS_H

#include <sys/types.h>

#include "base/bpf_shared.h"
#include "base/error.h"
#include "base/types.h"
#include "base/vec.h"

struct process_info {
	pid_t tgid, ppid; /* a pid_t is always of cprof's own PID namespace (pid_space.h) */
	uid_t uid; /* effective */
	u64 start_time; /* clock ticks since boot: tells a reused PID from the old one */
	struct inner_pid inner; /* what it calls itself, in its own PID namespace (NSpid) */
	bool kernel_thread;
	bool zombie;
	char comm[64];
	char exe[512]; /* where /proc/PID/exe points, "" if unreadable */
};

typedef VEC(pid_t) pid_vec;

int process_read(pid_t tgid, struct process_info *out) MUST_CHECK;
/* The tgid that thread `tid` belongs to; a user may name any thread of a process. */
int process_tgid_of(pid_t tid, pid_t *tgid) MUST_CHECK;
/*
 * Breakpoints in its code may be its own or its debugger's: it handles SIGTRAP, or is traced (ptrace(2)).
 * Also true when that cannot be told.
 */
bool process_expects_traps(pid_t tgid);
bool process_filters_syscalls(pid_t tgid); /* its first thread has a seccomp filter (seccomp(2)) */
/* Its first thread has a shadow stack (Documentation/arch/x86/shstk.rst). */
bool process_has_shadow_stack(pid_t tgid);
int process_threads(pid_t tgid, pid_vec *out) MUST_CHECK; /* appends */
int process_children(pid_t tgid, pid_vec *out) MUST_CHECK; /* appends all descendants, not itself */
int process_list(pid_vec *out) MUST_CHECK; /* every tgid of the machine that has user memory */
int thread_comm(pid_t tgid, pid_t tid, char *out, size_t size); /* "" and -ESRCH when gone */
/*
 * Nanoseconds that a thread could have run and waited for a CPU (run_delay of schedstat,
 * Documentation/scheduler/sched-stats.rst); 0 when it is gone, or on a kernel without CONFIG_SCHED_INFO.
 */
u64 thread_queued_ns(pid_t tgid, pid_t tid);
bool process_alive(pid_t tgid, u64 start_time); /* same start time, not a zombie */
/*
 * The path of `name` ("maps", "exe", "root") of a process: "/proc/4711/maps", or
 * "/proc/4711/task/4712/maps" where the first thread has ended before others and shows nothing.
 */
#define PROCESS_PATH_MAX 64
void process_path(pid_t tgid, const char *name, char out[PROCESS_PATH_MAX]);

#endif
