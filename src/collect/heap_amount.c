/* SPDX-License-Identifier: Apache-2.0 */
/* What samples of blocks stand for: see heap_amount.h. */
#include "collect/heap_amount.h"

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

	if (key->cause != HEAP_WEIGHED)
		return heap_amount_scale(rate, key->object, n->samples);
	return (struct heap_amount){key->object ? bytes / (double)key->object : (double)n->samples,
				    bytes};
}
