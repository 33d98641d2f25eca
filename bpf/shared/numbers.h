/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Defines types for the numbers of processes and threads. */
#ifndef CPROF_BPF_SHARED_NUMBERS_H
#define CPROF_BPF_SHARED_NUMBERS_H

/*
 * A process or thread has a number in each PID namespace that it is in (pid_namespaces(7)). Three
 * of them matter here, and each has a type, so the compiler refuses to use one in place of another.
 * User space converts a struct proc_pid to a pid_t in src/target/pid_space.h, and nowhere else.
 */
struct global_pid { /* in the initial namespace, as BPF programs see it (task->pid, task->tgid) */
	u32 nr;
};

/* in cprof's namespace, as in its /proc and system calls; 0 if it is not in there */
struct proc_pid {
	u32 nr;
};

/* in the task's own namespace, as in its getpid(), futex words and perf-PID.map */
struct inner_pid {
	u32 nr;
};

#define COMM_LEN 16

/* Describes a thread by what users know it by. */
struct thread_id {
	struct proc_pid tgid, tid;
	char comm[COMM_LEN]; /* the thread's name */
	char leader_comm[COMM_LEN]; /* that of its process */
	/* Its control groups: the kernel's set of them, which is only a number here, and the inode
	 * of that in the unified hierarchy. A process may be gone when it is looked up in /proc. */
	u64 groups, unified_group;
};

#endif
