/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Defines what every wrapper does before and after it calls the allocator.
 *
 * It takes the thread's countdown away and leaves a value that is never reached. So if the
 * allocator calls the wrappers itself meanwhile, that counts as part of this call. Afterwards the
 * countdown is restored, minus the size of this call. This needs neither a flag to test nor a lock.
 */
#ifndef CPROF_PRELOAD_HEAP_H
#define CPROF_PRELOAD_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pointer_set.h"
#include "sampler.h"

/* It is hidden also where it is only declared, so it is accessed without the GOT. */
#define HIDDEN __attribute__((visibility("hidden")))
#define EXPORTED __attribute__((visibility("default")))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
/* This path is too rare to cost the common path a register, and a probe in it exists once in the
 * library. */
#ifdef __clang__
#define RARE __attribute__((noinline, cold))
#else
#define RARE __attribute__((noipa, cold))
#endif

extern HIDDEN _Thread_local struct sampler heap_thread;
extern HIDDEN struct pointer_set heap_samples;

/* The countdown reached zero in a call that allocated `p` (NULL if it failed), or was never drawn
 * in this thread. */
HIDDEN void heap_reached(void *p, size_t size);

/* Frees what may be a sampled block; returns false if the allocator must not see it. */
HIDDEN bool heap_forget(void *p);

/* Reports that this library is in front of the program's allocator. */
HIDDEN void heap_started(void);

/* heap_move() is called before a realloc() of `p`. If it returns true, heap_moved() follows, which
 * reports that the block has ended if that is `done`. */
HIDDEN bool heap_move(void *p);
HIDDEN void heap_moved(void *p, bool done);

static inline uint64_t heap_enter(void)
{
	uint64_t left = heap_thread.left;

	heap_thread.left = SAMPLER_NEVER;
	return left;
}

/* Failed calls also take their bytes off the countdown. The process is memoryless, so they cause no
 * bias. */
static inline void heap_leave(uint64_t left, void *p, size_t size)
{
	if (LIKELY(size < left))
		heap_thread.left = left - size;
	else
		heap_reached(p, size);
}

/* Must run before the allocator gets `p`; returns false if the allocator must not get it. */
static inline bool heap_free(void *p)
{
	return LIKELY(!pointer_set_may_hold(&heap_samples, p)) || heap_forget(p);
}

#endif
