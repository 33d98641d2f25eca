/* SPDX-License-Identifier: Apache-2.0 */
/* What probes on an allocator cost the target, from the number of calls and the price of each. */
#ifndef CPROF_COLLECT_HEAP_PRICE_H
#define CPROF_COLLECT_HEAP_PRICE_H

#include "target/select.h"

struct heap_calls {
	u64 allocs, frees; /* calls of allocating and freeing functions */
	u32 alloc_ns, free_ns; /* a probe's price, without a program's time */
	u64 sampled_ns; /* spent on those that were sampled */
	u64 elapsed_ns,
		cpu_ns; /* meanwhile; CPU time is the target's, what the probes took included */
};

struct heap_price {
	double allocs_per_second; /* as they would be without probes */
	double slowdown; /* time added to the target's: 0.12 is 12 % */
	bool at_least; /* so much time goes into probes that nothing is left to compare it with */
};

/* Takes from `calls` what had been counted `before`. */
void heap_calls_since(struct heap_calls *calls, const struct heap_calls *before);

struct heap_price heap_price_of(const struct heap_calls *calls);
/* CPU time that the processes of a target have used, in nanoseconds; those that are gone count 0. */
u64 heap_cpu_time(const struct target *t);

#endif
