/* SPDX-License-Identifier: Apache-2.0 */
/* What samples of blocks stand for: how many blocks, how many bytes. */
#ifndef CPROF_COLLECT_HEAP_AMOUNT_H
#define CPROF_COLLECT_HEAP_AMOUNT_H

#include "base/bpf_shared.h"

struct heap_amount {
	double blocks, bytes;
};

/*
 * `n` samples of blocks of `size` bytes, at a mean of `rate` bytes between samples (1: each block is a
 * sample): divided by 1 - exp(-size / rate), the probability that a block of that size was sampled.
 */
struct heap_amount heap_amount_scale(u64 rate, u64 size, u64 n);
/* The same for what was counted under a key; a target's own sampler says what its samples stand for. */
struct heap_amount heap_amount_of(u64 rate, const struct sample_key *key,
				  const struct sample_count *n);

/*
 * Makes key and count such that counts of blocks of different sizes add up: samples become blocks, in units of
 * 1 / HEAP_BLOCK, and the weight bytes. The key becomes one of HEAP_MERGED, without a size.
 */
#define HEAP_BLOCK (1u << 20)
void heap_amount_merge(u64 rate, struct sample_key *key, struct sample_count *n);

/*
 * A whole number of blocks. Large blocks of many sizes have many rows of 1.3 blocks each: rounded to the nearest, all
 * lose a quarter. So it is up or down at random, right in the mean; by the seed and the key, so that of one
 * key what is alive is never more than what was allocated.
 */
s64 heap_amount_round(u64 seed, const struct sample_key *key, double blocks);

#endif
