/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Defines what cprof threads shares with its programs: what a thread does at one moment. */
#ifndef CPROF_BPF_SHARED_THREADS_H
#define CPROF_BPF_SHARED_THREADS_H

#include "waits.h"

#define THREAD_ARGUMENTS 5u

/*
 * A thread as the first look found it. Times of the scheduler are those of its own clock
 * (sched_clock(), from which ktime differs): `reader_arrived` is when the scheduler last gave
 * cprof a CPU, just before `now`, so the difference of the two converts them.
 */
struct thread_state {
	u64 switches; /* how often it has left its CPU, which changes if it runs */
	u64 now; /* bpf_ktime_get_ns() */
	u64 reader_arrived;
	u64 arrived; /* when it last got a CPU; 0 where the kernel does not keep that */
	u64 accounted; /* when its running time was last added up, without stolen time */
	u64 queued; /* since when it waits for a CPU; 0 if it does not */
	u64 run_ns; /* the CPU time that it has used */
	u64 started; /* bpf_ktime_get_ns() of its creation */
	u64 object; /* of a wait for a lock: the futex, or an enum other_lock */
	s64 syscall; /* number of the system call that it is in, or -1 */
	u64 argument[THREAD_ARGUMENTS];
	struct inner_pid inner; /* its number in its own PID namespace */
	u32 on_cpu;
	u32 kernel_state; /* include/linux/sched.h: TASK_* */
	u32 cause; /* enum wait_cause, unless it is on a CPU */
	u32 timed; /* the wait for a lock has a limit */
	u32 pad;
	struct thread_record record; /* its registers, and the kernel's frames */
};

/* What is known of a thread between two looks, by its struct global_pid. */
enum thread_mark_state {
	THREAD_SETTLED, /* everything is known */
	THREAD_ASLEEP, /* a second look decides whether it has run meanwhile */
	THREAD_RUNNING, /* its stack is taken at the next tick */
	THREAD_TAKEN, /* it was taken */
};

struct thread_mark {
	u64 ticket; /* for the stack */
	u32 state; /* enum thread_mark_state */
	s32 fd; /* the descriptor that it waits for, to be described; -1 if there is none */
};

/* A descriptor's file. The addresses are those of sockets, in network order. */
struct thread_file {
	u32 mode; /* inode.i_mode; 0 if there is no such file */
	u16 family; /* of sockets: AF_* */
	u16 type; /* SOCK_* */
	u16 state; /* TCP_*, for UDP as well */
	u16 local_port, peer_port; /* in host order */
	u16 path_len; /* of a UNIX socket's name */
	u8 local[16], peer[16];
	u64 inode;
	char path[32]; /* the name of a UNIX socket; an abstract one begins with 0 */
};

/* The second look. */
struct thread_check {
	struct global_pid tid;
	u32 on_cpu;
	u64 switches;
	struct thread_file file;
};

_Static_assert(sizeof(struct thread_state) % 8 == 0, "records of the iterator are whole words");

#endif
