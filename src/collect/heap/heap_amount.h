/* SPDX-License-Identifier: Apache-2.0 */
/* Computes how many blocks and how many bytes samples of blocks represent. */
#ifndef CPROF_COLLECT_HEAP_AMOUNT_H
#define CPROF_COLLECT_HEAP_AMOUNT_H

#include "base/bpf_shared.h"

struct heap_amount {
	double blocks, bytes;
};

/*
 * Scales `n` samples of blocks of `size` bytes, at a mean of `rate` bytes between samples (1 if
 * each block is a sample). It divides by 1 - exp(-size / rate), the probability that a block of
 * that size was sampled.
 */
struct heap_amount heap_amount_scale(u64 rate, u64 size, u64 n);
/* Does the same for what was counted under a key; a target's own sampler says what its samples
 * represent. */
struct heap_amount heap_amount_of(u64 rate, const struct sample_key *key,
				  const struct sample_count *n);

/*
 * Changes key and count so that counts of blocks of different sizes add up: samples become blocks,
 * in units of 1 / HEAP_BLOCK, and the weight becomes bytes. The key becomes one of HEAP_MERGED,
 * without a size.
 */
#define HEAP_BLOCK (1u << 20)
void heap_amount_merge(u64 rate, struct sample_key *key, struct sample_count *n);

/*
 * Returns a whole number of blocks. Large blocks of many sizes have many rows of 1.3 blocks each,
 * and rounding to the nearest would lose a quarter of them. So it rounds up or down at random,
 * which is right in the mean. It depends on the seed and the key, so for one key the live blocks
 * are never more than the allocated ones.
 */
s64 heap_amount_round(u64 seed, const struct sample_key *key, double blocks);

#endif
