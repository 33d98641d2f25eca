/* SPDX-License-Identifier: Apache-2.0 */
/* What the closing summary says of allocators. */
#ifndef CPROF_COLLECT_HEAP_SUMMARY_H
#define CPROF_COLLECT_HEAP_SUMMARY_H

#include "base/lines.h"

struct heap_stats {
	u64 allocs, frees; /* calls seen */
	u64 freed; /* sampled blocks among them */
	u64 dropped; /* sampled allocations that found no room */
	u64 begun, missed; /* processes that began; that ended before they had probes */
	u64 unfollowed; /* sampled allocations that count, but not for how long they live */
	u64 uninherited; /* children that began without their parent's blocks */
	u64 declined; /* allocations left out: a return was waited for on another stack */
	u32 probes;
	double unknown; /* share of the calls that freed what was allocated before, 0 to 1 */
	double slowdown; /* of the target while recording, an estimate: 0.12 is 12 % */
	bool at_least; /* it was more: beyond what can be told apart */
};

/*
 * Of the calls that freed something, those whose block nobody saw beginning; 0 when the samples are too few
 * to tell that from chance (three standard errors), or when children freed copies: what ended is no longer
 * what began and is not alive.
 */
double heap_unknown_share(const struct heap_stats *s, u64 rate, double ended, bool copies);

void heap_summary(const struct heap_stats *h, struct lines *out);

#endif
