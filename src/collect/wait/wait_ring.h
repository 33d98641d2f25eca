/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds threads that wait for each other in a ring. The memory of a mutex names its owner: glibc's
 * pthread_mutex_t keeps the owner's tid 8 bytes after the futex word
 * (sysdeps/nptl/bits/struct_mutex.h), and a PI futex in the word itself (linux/futex.h), both by
 * its number in the target's own PID namespace.
 */
#ifndef CPROF_COLLECT_WAIT_RING_H
#define CPROF_COLLECT_WAIT_RING_H

#include "base/vec.h"
#include "collect/collector.h"

#define WAIT_RING_MAX 16

/* A thread that waits for a lock which the next member of the ring holds; the first member holds
 * the last one's. */
struct wait_ring_member {
	pid_t tgid, tid;
	u64 lock;
	char comm[COMM_LEN];
};

struct ring_waiter {
	pid_t tgid, tid;
	struct inner_pid inner; /* the number of the thread as owners are shown */
	u64 lock;
	struct inner_pid owner[2]; /* candidates by glibc's field and by a PI futex; 0 if none */
};

typedef VEC(struct ring_waiter) ring_waiter_vec;

/* Fills in w->owner from the target's memory, as far as it is readable. */
void wait_ring_owners(struct ring_waiter *w);

/*
 * Finds the first ring among the waiters and returns its members in order, at most `max`; 0 if
 * there is none. A thread that waits for itself is a ring of one.
 */
u32 wait_ring_find(const struct ring_waiter *waiters, u32 n, struct wait_ring_member *ring,
		   u32 max);

#endif
