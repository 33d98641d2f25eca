/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Types for the numbers of processes and threads. */
#ifndef CPROF_BPF_SHARED_NUMBERS_H
#define CPROF_BPF_SHARED_NUMBERS_H

/*
 * A process or thread has a number in each PID namespace that it is in (pid_namespaces(7)). Three
 * of them matter here, and each has a type, so that the compiler refuses one in place of another.
 * User space turns a struct proc_pid into a pid_t in src/target/pid_space.h, and nowhere else.
 */
struct global_pid { /* in the initial namespace: what BPF programs see (task->pid, task->tgid) */
	u32 nr;
};

struct proc_pid { /* in cprof's namespace: its /proc, its system calls, its user; 0: not in there */
	u32 nr;
};

struct inner_pid { /* in the task's own: what its getpid(), futex words and perf-PID.map show */
	u32 nr;
};

#define COMM_LEN 16

/* A thread, by what users know it by. */
struct thread_id {
	struct proc_pid tgid, tid;
	char comm[COMM_LEN]; /* the thread's name */
	char leader_comm[COMM_LEN]; /* that of its process */
};

#endif
