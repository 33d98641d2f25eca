/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waits until every BPF program that runs now has ended. Otherwise a program that was preempted
 * could still count in a map that user space expects to be unused.
 *
 * The kernel waits for an RCU grace period when a map inside of a map is replaced
 * (maybe_wait_bpf_programs() in kernel/bpf/syscall.c, since 5.0), and it runs perf_event, tp_btf
 * and non-sleepable uprobe programs within rcu_read_lock(). So the maps are made here and serve no
 * other purpose.
 */
#ifndef CPROF_COLLECT_PROGRAM_BARRIER_H
#define CPROF_COLLECT_PROGRAM_BARRIER_H

#include <pthread.h>

#include "base/types.h"

struct program_barrier {
	int outer, inner; /* descriptors */
	pthread_t thread;
	bool begun, threaded;
	int over, err; /* set by the thread */
};

#define PROGRAM_BARRIER_NONE ((struct program_barrier){.outer = -1, .inner = -1})

int program_barrier_init(struct program_barrier *b) MUST_CHECK;
void program_barrier_release(struct program_barrier *b);

/* Takes some 5 to 20 ms, and as long as the slowest program runs. Every later run sees what was
 * stored before. */
int program_barrier_wait(const struct program_barrier *b) MUST_CHECK;

/*
 * Lets a thread of its own wait, which then ends. If there can be none, it waits itself. Call
 * _end() before it is begun again: it waits for the thread, and returns as program_barrier_wait()
 * does. `b` must not move in between.
 */
void program_barrier_begin(struct program_barrier *b);
bool program_barrier_is_over(const struct program_barrier *b);
int program_barrier_end(struct program_barrier *b) MUST_CHECK;

#endif
