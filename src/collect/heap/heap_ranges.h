/* SPDX-License-Identifier: Apache-2.0 */
/* The code of allocation functions and samplers, in the form of frames. Stacks do not show their
 * frames. */
#ifndef CPROF_COLLECT_HEAP_RANGES_H
#define CPROF_COLLECT_HEAP_RANGES_H

#include "base/vec.h"
#include "collect/heap/alloc_probes.h"
#include "collect/session/module_set.h"

/* It keeps the code of files that were released, as long as samples may have frames in them. */
struct heap_ranges {
	alloc_codes files; /* sorted by module */
};

/* Adds those of all files that have probes by now. After -ENOMEM some of them may be missing. */
int heap_ranges_find(struct heap_ranges *r, struct module_set *modules,
		     struct alloc_probes *functions) MUST_CHECK;
void heap_ranges_release(struct heap_ranges *r);

/*
 * Returns how many frames at the leaf are not shown (stack_kind.skip). A call from inside an
 * allocation function is part of that function, which was sampled by its own bytes and counts once.
 * A sampler's frames do not belong to the program.
 */
u32 heap_ranges_skip(const struct heap_ranges *r, const u64 *frames, u32 nframes);

#endif
