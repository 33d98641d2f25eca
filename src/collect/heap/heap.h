/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles memory with BPF: which stacks allocate (allocs), and which hold what has not been freed
 * (heap). */
#ifndef CPROF_COLLECT_HEAP_H
#define CPROF_COLLECT_HEAP_H

#include "collect/heap/heap_options.h"
#include "collect/kind.h"

/* `opt` is copied; its options are a struct heap_options. */
int heap_collector_new(const struct collect_options *opt, struct collector **out,
		       struct error *err) MUST_CHECK;
int allocs_collector_new(const struct collect_options *opt, struct collector **out,
			 struct error *err) MUST_CHECK;

#endif
