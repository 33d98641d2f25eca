/* SPDX-License-Identifier: Apache-2.0 */
/* The code of allocation functions and samplers, in the form of frames. Stacks do not show their
 * frames. */
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

/* Finds those of all files that have probes by now. -ENOMEM leaves the ranges unchanged. */
int heap_ranges_find(struct heap_ranges *r, const struct bpf_session *session,
		     const struct probe_set *functions) MUST_CHECK;
void heap_ranges_release(struct heap_ranges *r);

/*
 * Returns how many frames at the leaf are not shown (stack_kind.skip). A call from inside an
 * allocation function is part of that function, which was sampled by its own bytes and counts once.
 * A sampler's frames do not belong to the program.
 */
u32 heap_ranges_skip(const struct heap_ranges *r, const u64 *frames, u32 nframes);

#endif
