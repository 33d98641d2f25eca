/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Keeps the waiters of one lock in one word, so that a single compare-and-swap changes both of its
 * parts. The upper 16 bits are their number, and the rest is the sum of the times since which they
 * wait, in microseconds. All of them together have waited `number * now - sum`. The sum is kept
 * modulo 2^48, so it never carries into the number. The difference is right as long as it is below
 * 2^47, which is 4.4 years of waiting between two releases of one lock.
 *
 * This is only arithmetic, for BPF programs and for user space. u64 must be defined before it is
 * included.
 */
#ifndef CPROF_BPF_LOCK_QUEUE_H
#define CPROF_BPF_LOCK_QUEUE_H

#define LOCK_QUEUE_SHIFT 48
#define LOCK_QUEUE_SUM ((1ull << LOCK_QUEUE_SHIFT) - 1)
/* number of waiters; all ones mark a slot that is changing hands */
#define LOCK_QUEUE_MAX 0xfffeull
#define LOCK_QUEUE_CLAIMED ~0ull

static inline u64 lock_queue_of(u64 number, u64 sum)
{
	return number << LOCK_QUEUE_SHIFT | (sum & LOCK_QUEUE_SUM);
}

static inline u64 lock_queue_number(u64 queue)
{
	return queue >> LOCK_QUEUE_SHIFT;
}

/* Adds one waiter, waiting since `from`. */
static inline u64 lock_queue_join(u64 queue, u64 from)
{
	return lock_queue_of(lock_queue_number(queue) + 1, queue + from);
}

/* Removes one that has waited since `from`. An empty queue is 0, whatever was rounded. */
static inline u64 lock_queue_leave(u64 queue, u64 from)
{
	u64 number = lock_queue_number(queue);

	return number > 1 ? lock_queue_of(number - 1, queue - from) : 0;
}

/* Handles a release: one waiter leaves, and the others count from now on. */
static inline u64 lock_queue_release(u64 queue, u64 now)
{
	u64 number = lock_queue_number(queue);

	return number > 1 ? lock_queue_of(number - 1, (number - 1) * now) : 0;
}

/* Returns what all of them have waited together. Waits that begin after `now` (as clocks of two
 * CPUs differ) do not count. */
static inline u64 lock_queue_waited(u64 queue, u64 now)
{
	u64 waited = (lock_queue_number(queue) * now - queue) & LOCK_QUEUE_SUM;

	return waited >> (LOCK_QUEUE_SHIFT - 1) ? 0 : waited;
}

#endif
