/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which allocations are sampled: a Poisson process over allocated bytes. Between two sampled bytes lie on
 * average `rate` bytes, exponentially distributed; an allocation is sampled if one of its bytes is, which
 * has the probability 1 - exp(-size / rate). As the process has no memory, one draw after each
 * sample is all there is to do. Go, jemalloc and tcmalloc sample in the same way.
 *
 * Nothing here allocates, locks, or needs more than a C library that is not initialized yet.
 */
#ifndef CPROF_PRELOAD_SAMPLER_H
#define CPROF_PRELOAD_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

#define SAMPLER_RATE_DEFAULT (512 * 1024)
#define SAMPLER_RATE_MAX (UINT64_C(1) << 40)
/* A distance that no allocation reaches. */
#define SAMPLER_NEVER UINT64_MAX

/* Of one thread; all zero at first, which makes the first allocation ask for a draw. */
struct sampler {
	uint64_t left; /* bytes to the sampled one: an allocation of at least as many holds it */
	uint64_t random; /* state of the generator, 0: not seeded */
};

/*
 * Bytes per sample by the text of CPROF_HEAP_RATE: decimal, at most SAMPLER_RATE_MAX; 1 is every
 * allocation, 0 none. NULL and what is no such number give the default.
 */
uint64_t sampler_rate(const char *text);

void sampler_seed(struct sampler *s);

/* The distance to the next sampled byte; at rate 1 always 0, so that blocks of no bytes count, too. */
uint64_t sampler_draw(struct sampler *s, uint64_t rate);

/*
 * The bytes that a sampled allocation stands for: size / (1 - exp(-size / rate)), rounded. The sum over
 * samples is an unbiased estimate of all bytes, and the sum of weight / size one of all blocks.
 */
uint64_t sampler_weight(uint64_t size, uint64_t rate);

#endif
