/* SPDX-License-Identifier: Apache-2.0 */
/* The kind allocs: which stacks allocate most, freed or not. */
#include "collect/heap/heap.h"

static const struct option_row rows[] = {
	HEAP_ALLOCATOR_ROWS,
	{0},
};

const struct profile_kind kind_allocs = {
	.name = "allocs",
	.summary = "memory allocated while recording, freed or not, by call stack",
	.faculties = KIND_PROBES,
	KIND_OPTIONS(rows, heap_defaults),
	.collector_new = allocs_collector_new,
	.sampler_rate = heap_sampler_rate,
	.why_empty = "nothing was allocated",
};
