/* SPDX-License-Identifier: Apache-2.0 */
/* The code of allocation functions and samplers, as frames name it: whose frames stacks do not show. */
#ifndef CPROF_COLLECT_HEAP_RANGES_H
#define CPROF_COLLECT_HEAP_RANGES_H

#include "base/vec.h"
#include "collect/session/bpf_session.h"
#include "collect/heap/alloc_probes.h"

struct code_range {
	u32 module; /* as frames number it */
	u64 start, end; /* file offsets */
	bool sampler;
};

struct heap_ranges {
	VEC(struct code_range) items;
};

/* Those of all files that have probes by now. -ENOMEM: the ranges stay what they were. */
int heap_ranges_find(struct heap_ranges *r, const struct bpf_session *session,
		     const struct alloc_probes *functions) MUST_CHECK;
void heap_ranges_release(struct heap_ranges *r);

/*
 * How many frames at the leaf are not shown (stack_kind.skip). A call that came from inside an allocation function
 * is that function's own affair: it was sampled by its own bytes, and counts once. A sampler's frames are not the
 * program's.
 */
u32 heap_ranges_skip(const struct heap_ranges *r, const u64 *frames, u32 nframes);

#endif
