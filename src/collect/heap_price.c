/* SPDX-License-Identifier: Apache-2.0 */
/* What probes on an allocator cost the target: see heap_price.h. */
#include "collect/heap_price.h"

#include <time.h>

/* Of the programs, measured on Linux 6.18 in a VM (docs/heap.md). */
#define ALLOC_PROGRAM_NS 90
#define FREE_PROGRAM_NS 60
#define NEARLY_ALL 0.98 /* of the time: beyond it the estimate means nothing */

void heap_calls_since(struct heap_calls *calls, const struct heap_calls *before)
{
	calls->allocs -= before->allocs;
	calls->frees -= before->frees;
	calls->sampled_ns -= before->sampled_ns;
	calls->elapsed_ns -= before->elapsed_ns;
	/* That of processes which have ended is gone from the sum. */
	calls->cpu_ns = calls->cpu_ns > before->cpu_ns ? calls->cpu_ns - before->cpu_ns : 0;
}

struct heap_price heap_price_of(const struct heap_calls *c)
{
	double added = (double)c->allocs * (c->alloc_ns + ALLOC_PROGRAM_NS) +
		       (double)c->frees * (c->free_ns + FREE_PROGRAM_NS) + (double)c->sampled_ns;
	double seconds = (double)c->elapsed_ns / 1e9, share;
	/* Threads that run side by side pay side by side; one that mostly waits pays from its rest. */
	u64 time = c->cpu_ns > c->elapsed_ns ? c->cpu_ns : c->elapsed_ns;

	if (!time || !c->elapsed_ns)
		return (struct heap_price){0};
	share = added / (double)time < NEARLY_ALL ? added / (double)time : NEARLY_ALL;
	return (struct heap_price){
		.allocs_per_second = (double)c->allocs / (seconds * (1 - share)),
		.slowdown = share / (1 - share),
		.at_least = share >= NEARLY_ALL,
	};
}

u64 heap_cpu_time(const struct target *t)
{
	u64 sum = 0;

	vec_for_each(&t->processes, p) {
		struct timespec ts;
		clockid_t clock;

		if (!clock_getcpuclockid(p->tgid, &clock) && !clock_gettime(clock, &ts))
			sum += (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
	}
	return sum;
}
