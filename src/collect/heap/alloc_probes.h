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

struct alloc_probes;

int alloc_probes_new(const struct heap_programs *programs, struct alloc_probes **out) MUST_CHECK;
void alloc_probes_free(struct alloc_probes *d); /* detaches */
void alloc_probes_detach(struct alloc_probes *d);

/*
 * Searches a process' mappings and attaches to what is new. Returns -ESRCH if it has ended, or is
 * about to. One thread may do this while others query what was found.
 */
int alloc_probes_add_process(struct alloc_probes *d, pid_t tgid, struct error *err) MUST_CHECK;
/*
 * Attaches to a file that is not mapped yet: for every process that will map it (tgid 0, a
 * sampler's library), or for one that is about to exec it.
 */
int alloc_probes_add_file(struct alloc_probes *d, const char *path, pid_t tgid,
			  struct error *err) MUST_CHECK;
/* Releases what was attached to a process, because its number may now belong to another one. */
void alloc_probes_forget(struct alloc_probes *d, pid_t tgid);
/* Does the same for all that have ended. */
void alloc_probes_forget_ended(struct alloc_probes *d);

/* Returns "jemalloc 5.3.0 (/usr/lib/libjemalloc.so.2), 14 probes", or what was searched if nothing
 * was found. */
const char *alloc_probes_text(const struct alloc_probes *d);
/*
 * Sets the error that says why nothing is probed: there is no allocator, or what was found has been
 * unmapped, or its code was changed. Returns -ENOENT.
 */
int alloc_probes_say_none(const struct alloc_probes *d, const char *title, struct error *err);
u32 alloc_probes_count(const struct alloc_probes *d); /* probes attached */
/* Gives the nanoseconds that a call of an allocating and of a freeing function pays, depending on
 * the places of the probes. */
void alloc_probes_cost(const struct alloc_probes *d, u32 *alloc_ns, u32 *free_ns);

/* Returns every file with functions that was seen; the index starts at 0, and NULL comes after the
 * last. */
const struct probe_file *alloc_probes_file(const struct alloc_probes *d, size_t index);

#endif
