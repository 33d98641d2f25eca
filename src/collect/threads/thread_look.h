/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at all threads of the target without stopping them. Threads that sleep are listed, their
 * stacks are copied, and then the kernel says which of them have run meanwhile: these are looked at
 * again. The stacks of threads that run are copied by a tick of their CPU.
 */
#ifndef CPROF_COLLECT_THREAD_LOOK_H
#define CPROF_COLLECT_THREAD_LOOK_H

#include "collect/session/bpf_session.h"
#include "collect/threads/thread_table.h"

#define THREAD_LOOKS 4u /* a thread that ran each time is marked */

struct thread_look {
	struct bpf_session *session;
	/* of bpf/threads.bpf.c */
	struct bpf_program *list_threads, *check_threads, *on_tick;
	int marks_fd;
	struct thread_table *table; /* is filled */
	u64 skew; /* is found: ktime minus the scheduler's clock */
};

int thread_look_run(struct thread_look *l, struct error *err) MUST_CHECK;

#endif
