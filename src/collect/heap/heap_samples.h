/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What sampled allocations stand for: four values in Go's order (alloc_objects, alloc_space,
 * inuse_objects, inuse_space), scaled by the probability with which a block of its size is sampled.
 */
#ifndef CPROF_COLLECT_HEAP_READING_H
#define CPROF_COLLECT_HEAP_READING_H

#include "collect/session/bpf_session.h"
#include "collect/heap/live_set.h"

struct heap_reading;

/* Gives a profile the sample types and the period. */
int heap_describe(const struct collect_options *opt, struct profile *p) MUST_CHECK;

int heap_reading_new(const struct collect_options *opt, const struct heap_lives *lives,
		     struct heap_reading **out) MUST_CHECK;
void heap_reading_free(struct heap_reading *r);
struct sample_meaning heap_meaning(struct heap_reading *r); /* borrows `r` */
/* After the profile was read: how many of the blocks that were seen being allocated have ended. */
double heap_reading_ended(const struct heap_reading *r);

#endif
