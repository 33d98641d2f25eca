/* SPDX-License-Identifier: Apache-2.0 */
/* The kind heap: memory that was allocated while recording and not freed, by call stack. */
#include "collect/heap/heap.h"
#include "format/leaks.h"

#define LIVE_MAX 16000000

static const struct option_row rows[] = {
	HEAP_ALLOCATOR_ROWS,
	{.name = "leaks",
	 .help = "list the stacks whose blocks are alive, with age and growth",
	 .group = OPTION_GROUP_SAMPLING,
	 ROW_MEMBER(ON, struct heap_options, leaks)},
	{.name = "older-than",
	 .value = "AGE",
	 .help = "leave out live blocks that are younger (60s, 5m)",
	 .group = OPTION_GROUP_SAMPLING,
	 ROW_DURATION(struct heap_options, older_than_ns, "an age (5s, 500ms, 2m)")},
	{.name = "peak",
	 .help = "also report memory at its peak (peak_space)",
	 .group = OPTION_GROUP_SAMPLING,
	 ROW_MEMBER(ON, struct heap_options, peak)},
	{.name = "max-live",
	 .value = "N",
	 .help = "sampled blocks followed at once (default 1000000)",
	 .group = OPTION_GROUP_SAMPLING,
	 ROW_NUMBER(struct heap_options, max_live, 1, LIVE_MAX,
		    "a number of blocks from 1 to 16000000")},
	{0},
};

static const struct format *table(const void *options)
{
	const struct heap_options *o = options;

	return o->leaks ? &format_leaks : NULL;
}

const struct profile_kind kind_heap = {
	.name = "heap",
	.summary = "memory allocated while recording and not freed, by call stack",
	.faculties = KIND_PROBES,
	KIND_OPTIONS(rows, heap_defaults),
	.collector_new = heap_collector_new,
	.sampler_rate = heap_sampler_rate,
	.table = table,
	.why_empty = "nothing was allocated",
};
