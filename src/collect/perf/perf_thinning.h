/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which ticks of a clock become samples. A new thread's events begin with a whole period before their first sample
 * (inherit_event() in kernel/events/core.c), so that threads which live for less are never seen: at 99 Hz, a program
 * that spent 2 s of CPU time in threads of 10 ms had no sample at all. So clocks tick at PERF_TICKS_HZ_MIN at least,
 * and of their ticks so many are taken, at random, as were asked for.
 */
#ifndef CPROF_COLLECT_PERF_THINNING_H
#define CPROF_COLLECT_PERF_THINNING_H

#include "base/types.h"

#define PERF_TICKS_HZ_MIN 997u

struct perf_thinning {
	u64 period; /* ns between samples that are wanted; 0: all are taken */
	u64 passed; /* CPU time that ticks stood for so far */
	u64 window; /* where the window begins in which the next sample is taken, */
	u64 pick; /* and at which point of it */
	u64 random;
};

/* For so many samples a second; `seed` is any number. */
void perf_thinning_init(struct perf_thinning *t, u32 frequency, u64 seed);
/* How many samples a tick that stands for `ns` of CPU time is: mostly none. */
u64 perf_thinning_take(struct perf_thinning *t, u64 ns);

#endif
