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

#endif
