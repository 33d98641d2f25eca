/* SPDX-License-Identifier: Apache-2.0 */
/* What the closing summary says about allocators. */
#ifndef CPROF_COLLECT_HEAP_SUMMARY_H
#define CPROF_COLLECT_HEAP_SUMMARY_H

#include "base/lines.h"
#include "profile/profile.h"

struct heap_stats {
	u64 allocs, frees; /* calls seen */
	u64 freed; /* sampled blocks among them */
	u64 dropped; /* sampled allocations that did not fit */
	u64 sampler_dropped; /* those that the preloaded sampler had no space for */
	u64 unreached; /* plug-ins that its sampler does not see */
	u64 begun, missed; /* processes that began, and those that ended before they had probes */
	/* sampled allocations that count, but are not followed until they are freed */
	u64 unfollowed;
	u64 uninherited; /* children that began without their parent's blocks */
	u64 declined; /* allocations left out because a return was pending on another stack */
	u32 refused, sites; /* files for whose functions the table had no space, and its size */
	u32 probes;
	double unknown; /* share of the calls that freed what was allocated before, 0 to 1 */
	double slowdown; /* of the target while recording, an estimate; 0.12 is 12 % */
	bool at_least; /* it was more, beyond what can be measured */
};

/*
 * Returns the share of the calls that freed a block whose allocation was not seen. It is 0 if there
 * are too few samples to tell that from chance (three standard errors), or if children freed
 * copies, because then what ended is no longer what began and is not alive.
 */
double heap_unknown_share(const struct heap_stats *s, u64 rate, double ended, bool copies);

/* Adds as comments what is missing in the profile. Returns 0 or a negative errno. */
int heap_comments(const struct heap_stats *h, struct profile *p) MUST_CHECK;
void heap_summary(const struct heap_stats *h, struct lines *out);

#endif
