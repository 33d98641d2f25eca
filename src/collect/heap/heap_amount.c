/* SPDX-License-Identifier: Apache-2.0 */
/* Computes what samples of blocks represent: see heap_amount.h. */
#include "collect/heap/heap_amount.h"

#include <math.h>

struct heap_amount heap_amount_scale(u64 rate, u64 size, u64 n)
{
	double p = rate > 1 ? -expm1(-(double)size / (double)rate) : 1;
	double blocks = p > 0 ? (double)n / p : (double)n;

	return (struct heap_amount){blocks, blocks * (double)size};
}

struct heap_amount heap_amount_of(u64 rate, const struct sample_key *key,
				  const struct sample_count *n)
{
	double bytes = (double)n->weight;

	if (key->cause == HEAP_MERGED)
		return (struct heap_amount){(double)n->samples / HEAP_BLOCK, bytes};
	if (key->cause != HEAP_WEIGHED)
		return heap_amount_scale(rate, key->object, n->samples);
	return (struct heap_amount){key->object ? bytes / (double)key->object : (double)n->samples,
				    bytes};
}

void heap_amount_merge(u64 rate, struct sample_key *key, struct sample_count *n)
{
	struct heap_amount amount = heap_amount_of(rate, key, n);

	n->samples = (u64)llround(amount.blocks * HEAP_BLOCK);
	n->weight = (u64)llround(amount.bytes);
	key->cause = HEAP_MERGED;
	key->object = 0;
}

/* Returns a number from 0 to 1, the same for the same key and seed (the finalizer of
 * MurmurHash3). */
static double random_of(u64 seed, const struct sample_key *key)
{
	u64 x = seed ^ key->stack ^ key->object * 0x9e3779b97f4a7c15ull ^ (u64)key->tid.nr << 32 ^
		key->tgid.nr;

	x = (x ^ x >> 33) * 0xff51afd7ed558ccdull;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53ull;
	return (double)((x ^ x >> 33) >> 11) * 0x1p-53;
}

s64 heap_amount_round(u64 seed, const struct sample_key *key, double blocks)
{
	return (s64)floor(blocks + random_of(seed, key));
}
