/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides which ticks of a clock become samples. A new thread's events begin with a whole period
 * before their first sample (inherit_event() in kernel/events/core.c), so threads that run for less
 * are never seen: at 99 Hz, a program that spent 2 s of CPU time in threads of 10 ms had no sample
 * at all. So clocks tick at PERF_TICKS_HZ_MIN at least, and a random selection of the ticks gives
 * the requested rate.
 */
#ifndef CPROF_COLLECT_PERF_THINNING_H
#define CPROF_COLLECT_PERF_THINNING_H

#include "base/types.h"

#define PERF_TICKS_HZ_MIN 997u

struct perf_thinning {
	u64 period; /* ns between wanted samples; 0 to take all */
	u64 passed; /* CPU time that ticks stood for so far */
	u64 window; /* where the window begins in which the next sample is taken */
	u64 pick; /* the point of the next sample in that window */
	u64 random;
};

/* Prepares for that many samples a second; `seed` is any number. */
void perf_thinning_init(struct perf_thinning *t, u32 frequency, u64 seed);
/* Returns how many samples a tick for `ns` of CPU time is; mostly none. */
u64 perf_thinning_take(struct perf_thinning *t, u64 ns);

#endif
