/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Decides which allocations are sampled: a Poisson process over the bytes that a thread allocates,
 * as in Go, jemalloc and tcmalloc. It uses fixed point, because BPF has no floating point.
 */
#ifndef CPROF_BPF_HEAP_DRAW_BPF_H
#define CPROF_BPF_HEAP_DRAW_BPF_H

struct heap_distance { /* of a thread */
	s64 left; /* bytes to the next sample */
	u64 random; /* state of a xorshift generator; 0 if it has not started */
};

static __always_inline u64 random_next(struct heap_distance *t)
{
	u64 x = t->random;

	if (!x)
		x = (u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32() | 1;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	t->random = x;
	return x;
}

/* Returns log2(x) for x from 1 on, with HEAP_LOG_ONE bits after the point. It is global, so the
 * verifier checks it once and not for every way that leads to it. */
__noinline u64 log2_of(u32 x)
{
	u32 whole = 0, rest = x, index, low, high, part;

#pragma unroll
	for (int step = 16; step; step /= 2) {
		if (rest >> step) {
			whole += step;
			rest >>= step;
		}
	}
	rest = x << ((31 - whole) & 31); /* the leading one is at bit 31 */
	index = rest >> (31 - HEAP_LOG_BITS) & ((1u << HEAP_LOG_BITS) - 1);
	low = heap.log2_table[index];
	high = heap.log2_table[index + 1];
	part = rest >> (31 - HEAP_LOG_BITS - 15) & 0x7fff;
	return ((u64)whole << HEAP_LOG_ONE) + low + ((u64)(high - low) * part >> 15);
}

#define LN2 45426ull /* ln 2, with 16 bits after the point */

/* Draws the distance to the next sample, which is exponentially distributed with the rate as its
 * mean. */
static __always_inline s64 draw_distance(struct heap_distance *t)
{
	u32 uniform = (u32)(random_next(t) >> 32) | 1;
	u64 bits = (32ull << HEAP_LOG_ONE) - log2_of(uniform); /* -log2 of a number in (0, 1] */

	return (s64)((bits * LN2 >> 16) * heap.rate >> HEAP_LOG_ONE) + 1;
}

static __always_inline bool is_sampled(struct heap_distance *t, u64 size)
{
	if (heap.rate <= 1)
		return true;
	if (!t->random)
		t->left = draw_distance(t);
	if (size > 1ull << 62)
		return false; /* the allocation will fail */
	t->left -= (s64)size;
	if (t->left > 0)
		return false;
	t->left = draw_distance(t);
	return true;
}

#endif
