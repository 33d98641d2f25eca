/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts the waits that have not ended (bpf/wait_table.bpf.h) up to now: either for good when
 * recording has stopped, or for one profile while it continues. It does not change the kernel's
 * table.
 */
#ifndef CPROF_COLLECT_ONGOING_WAITS_H
#define CPROF_COLLECT_ONGOING_WAITS_H

#include "collect/session/bpf_session.h"
#include "collect/wait/wait_ring.h"

struct ongoing_waits {
	struct bpf_session *session; /* where they are counted */
	enum tally_part part; /* TALLY_COUNT for good, or TALLY_ONGOING */
	int threads_fd; /* the map thread_waits */
	u32 mode; /* enum wait_mode */
	u64 min_ns; /* shorter waits are left out */
	u64 begun; /* CLOCK_MONOTONIC ns from which on time counts */
	u64 now;
	/* Time is counted once: what was reported without a waker cannot move to its waker's stack
	 * when the wait is over. */
	bool only_with_waker;
	/* These were found. */
	u64 running_ns; /* of threads that run */
	u64 unfinished, unfinished_ns; /* mutex: waits that no unlock has ended */
	/* block, for good: threads that wait for locks without a limit; the caller's */
	ring_waiter_vec waiters;
};

int ongoing_waits_count(struct ongoing_waits *w) MUST_CHECK;

#endif
