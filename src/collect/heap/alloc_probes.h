/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes on the allocation functions of the allocators mapped by the targets. They are found by
 * symbol, placed where a probe costs the least, and attached for one process at a time. If a file
 * contains otel_memory probes of a sampler, those are used in place of the allocators of its
 * processes.
 */
#ifndef CPROF_COLLECT_ALLOC_PROBES_H
#define CPROF_COLLECT_ALLOC_PROBES_H

#include "base/error.h"
#include "collect/heap/alloc_attach.h"
#include "collect/probe/probe_set.h"

struct alloc_probes;

/* The code of a file, whose frames stacks do not show. */
struct alloc_code {
	u32 module; /* its number in frames */
	struct probed_file_key key;
	bool sampler; /* the whole file is a sampler's, whose frames do not belong to the program */
	code_spans ranges; /* of allocation functions */
};

typedef VEC(struct alloc_code) alloc_codes;

void alloc_codes_release(alloc_codes *codes);

int alloc_probes_new(const struct heap_programs *programs, struct alloc_probes **out) MUST_CHECK;
void alloc_probes_free(struct alloc_probes *d); /* detaches */
struct probe_set *alloc_probes_set(struct alloc_probes *d); /* borrowed */

/* Returns "jemalloc 5.3.0 (/usr/lib/libjemalloc.so.2), 14 probes", or what was searched if nothing
 * was found. */
const char *alloc_probes_text(const struct alloc_probes *d);
/*
 * Sets the error that says why nothing is probed: there is no allocator, or what was found has been
 * unmapped, or its code was changed. Returns -ENOENT.
 */
int alloc_probes_say_none(const struct alloc_probes *d, const char *title, struct error *err);
/* Gives the nanoseconds that a call of an allocating and of a freeing function pays, depending on
 * the places of the probes. */
void alloc_probes_cost(const struct alloc_probes *d, u32 *alloc_ns, u32 *free_ns);

/* How many files with code have been released since alloc_probes_take_code(). */
u32 alloc_probes_released(const struct alloc_probes *d);
/*
 * Appends the code of all files that frames may be in: of those that are known, and of those that
 * have been released since the last call. Returns 0 or -ENOMEM.
 */
int alloc_probes_take_code(struct alloc_probes *d, alloc_codes *out) MUST_CHECK;

#endif
