/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Converts sampled allocations to four values in Go's order (alloc_objects, alloc_space,
 * inuse_objects, inuse_space), scaled by the probability with which a block of its size is sampled.
 */
#ifndef CPROF_COLLECT_HEAP_SAMPLES_H
#define CPROF_COLLECT_HEAP_SAMPLES_H

#include "collect/session/bpf_session.h"
#include "collect/heap/heap_options.h"
#include "collect/heap/live_set.h"

struct heap_samples;

/* Gives a profile the sample types and the period; with `live`, the in-use types come first. */
int heap_describe(const struct heap_options *opt, bool live, struct profile *p) MUST_CHECK;

/* Estimates are rounded at random. The seed makes that the same for all profiles of one
 * recording. */
int heap_samples_new(u64 rate, u64 seed, const struct live_set *live,
		     struct heap_samples **out) MUST_CHECK;
void heap_samples_free(struct heap_samples *r);
struct sample_mapping heap_mapping(struct heap_samples *r); /* borrows `r` */
/* Returns, after the profile was read, how many of the blocks whose allocation was seen have been
 * freed. */
double heap_samples_ended(const struct heap_samples *r);

#endif
