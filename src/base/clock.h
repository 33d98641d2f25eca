/* SPDX-License-Identifier: Apache-2.0 */
/* The time, as one number. */
#ifndef CPROF_BASE_CLOCK_H
#define CPROF_BASE_CLOCK_H

#include <time.h>

#include "base/types.h"

#define NSEC_PER_SEC 1000000000ull

static inline u64 clock_ns(clockid_t clock)
{
	struct timespec ts = {0};

	clock_gettime(clock, &ts);
	return (u64)ts.tv_sec * NSEC_PER_SEC + (u64)ts.tv_nsec;
}

/* CLOCK_MONOTONIC, which is what bpf_ktime_get_ns() gives. */
static inline u64 monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static inline u64 monotonic_ms(void)
{
	return monotonic_ns() / 1000000;
}

#endif
