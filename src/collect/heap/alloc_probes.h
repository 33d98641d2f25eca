/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of the allocators that targets have mapped, with probes on them: found by symbol, placed
 * where a probe costs least, attached for one process at a time. Where a file brings otel_memory
 * probes of a sampler of its own, those are used in place of the allocators of its processes.
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
 * Looks through what a process has mapped and attaches to what is new there. -ESRCH: it has ended, or is about
 * to. One thread may do this while others ask what was found.
 */
int alloc_probes_add_process(struct alloc_probes *d, pid_t tgid, struct error *err) MUST_CHECK;
/*
 * Attaches to a file that is not mapped yet: for every process that will map it (tgid 0: a sampler's
 * library), or for one that is about to exec it.
 */
int alloc_probes_add_file(struct alloc_probes *d, const char *path, pid_t tgid,
			  struct error *err) MUST_CHECK;
/* Lets go of what was attached to a process: its number may be that of another one now. */
void alloc_probes_forget(struct alloc_probes *d, pid_t tgid);
/* The same for all that have ended. */
void alloc_probes_forget_ended(struct alloc_probes *d);

/* "jemalloc 5.3.0 (/usr/lib/libjemalloc.so.2), 14 probes"; what was searched where nothing was found. */
const char *alloc_probes_text(const struct alloc_probes *d);
/*
 * Says why nothing is probed: there is no allocator, or what was found has been unmapped, or its code is changed. Returns
 * -ENOENT.
 */
int alloc_probes_say_none(const struct alloc_probes *d, const char *title, struct error *err);
u32 alloc_probes_count(const struct alloc_probes *d); /* probes attached */
/* Nanoseconds that a call of an allocating and of a freeing function pay, by where the probes sit. */
void alloc_probes_cost(const struct alloc_probes *d, u32 *alloc_ns, u32 *free_ns);

/* Every file with functions that was met; index from 0, NULL behind the last. */
const struct probe_file *alloc_probes_file(const struct alloc_probes *d, size_t index);

#endif
