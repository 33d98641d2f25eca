/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every function of the allocator does before and after it lets a call through.
 *
 * It takes the thread's countdown out of its place and leaves a distance there that nobody reaches: what
 * the allocator calls of itself meanwhile, through the functions again, counts as a part of this call.
 * Afterwards the countdown comes back, less by this size. No flag to test, no lock.
 */
#ifndef CPROF_PRELOAD_HEAP_H
#define CPROF_PRELOAD_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pointer_set.h"
#include "sampler.h"

/* Hidden also where it is only declared: used without a detour over the GOT. */
#define HIDDEN __attribute__((visibility("hidden")))
#define EXPORTED __attribute__((visibility("default")))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
/* Not worth a register on the way that all take; a probe in it is in the library once. */
#ifdef __clang__
#define RARE __attribute__((noinline, cold))
#else
#define RARE __attribute__((noipa, cold))
#endif

extern HIDDEN _Thread_local struct sampler heap_thread;
extern HIDDEN struct pointer_set heap_samples;

/* The countdown reached zero in a call that allocated `p` (NULL: failed), or was never drawn in this thread. */
HIDDEN void heap_reached(void *p, size_t size);

/* The free of what may be a sampled block; false if the allocator must not see it. */
HIDDEN bool heap_forget(void *p);

static inline uint64_t heap_enter(void)
{
	uint64_t left = heap_thread.left;

	heap_thread.left = SAMPLER_NEVER;
	return left;
}

/* Failed calls take their bytes off the countdown, too: it has no memory, so they bias nothing. */
static inline void heap_leave(uint64_t left, void *p, size_t size)
{
	if (LIKELY(size < left))
		heap_thread.left = left - size;
	else
		heap_reached(p, size);
}

/* Before the allocator gets `p`; false if it must not. */
static inline bool heap_free(void *p)
{
	return LIKELY(!pointer_set_may_hold(&heap_samples, p)) || heap_forget(p);
}

#endif
