/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides which allocations are sampled, as a Poisson process over allocated bytes. The distance
 * between two sampled bytes is exponentially distributed with a mean of `rate` bytes. An allocation
 * is sampled if one of its bytes is, which has the probability 1 - exp(-size / rate). The process
 * is memoryless, so one draw after each sample suffices. Go, jemalloc and tcmalloc sample in the
 * same way.
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

/* The state of one thread. All zeros at first make the first allocation request a draw. */
struct sampler {
	/* bytes until the sampled one; an allocation of at least this size contains it */
	uint64_t left;
	uint64_t random; /* state of the generator; 0 if not initialized */
};

/*
 * Parses the bytes per sample from the text of CPROF_HEAP_RATE: decimal, at most SAMPLER_RATE_MAX;
 * 1 samples every allocation, 0 none. NULL and anything that is not such a number give the default.
 */
uint64_t sampler_rate(const char *text);

void sampler_seed(struct sampler *s);

/* Returns the distance to the next sampled byte. At rate 1 it is always 0, so that blocks of no
 * bytes count as well. */
uint64_t sampler_draw(struct sampler *s, uint64_t rate);

/*
 * Returns the bytes that a sampled allocation represents, which are size / (1 - exp(-size / rate)),
 * rounded. Their sum over samples is an unbiased estimate of all bytes, and the sum of weight /
 * size is one of all blocks.
 */
uint64_t sampler_weight(uint64_t size, uint64_t rate);

#endif
