/* SPDX-License-Identifier: Apache-2.0 */
/* Options of heap and allocs. */
#ifndef CPROF_COLLECT_HEAP_OPTIONS_H
#define CPROF_COLLECT_HEAP_OPTIONS_H

#include "base/option.h"
#include "collect/probe/probe_limit.h"

struct heap_options {
	u64 rate; /* mean bytes between samples; 1 for every allocation */
	bool leaks; /* add labels about live blocks over time */
	bool peak; /* add two sample types for what was alive at the peak */
	u64 older_than_ns; /* younger blocks do not count as live */
	u32 max_live; /* the most blocks followed at once */
	struct probe_limit limit;
	const char *names; /* of a user's own allocator (alloc_names_parse) */
	const char *library; /* the only file to search */
	bool no_preload; /* no library is put in front of a command's allocator */
};

extern const struct heap_options heap_defaults;

int heap_set_names(void *options, const char *value, struct error *err) MUST_CHECK;
/* For struct profile_kind. */
bool heap_sampler_rate(const void *options, u64 *rate);

#define HEAP_RATE_MAX (1u << 30)

/* Rows of every kind that probes allocators. */
#define HEAP_ALLOCATOR_ROWS                                                                     \
	{.name = "rate",                                                                        \
	 .value = "BYTES",                                                                      \
	 .help = "mean distance between samples (default 512k; 1: every allocation)",           \
	 .group = OPTION_GROUP_SAMPLING,                                                        \
	 ROW_BYTES(struct heap_options, rate, 1, HEAP_RATE_MAX,                                 \
		   "a number of bytes from 1 to 1024M (512k, 1M)")},                            \
		{.name = "alloc",                                                               \
		 .value = "KIND=NAME[,...]",                                                    \
		 .help = "functions of an allocator of your own (malloc=x,free=y)",             \
		 .group = OPTION_GROUP_SAMPLING,                                                \
		 .set = heap_set_names},                                                        \
		{.name = "lib",                                                                 \
		 .value = "FILE",                                                               \
		 .help = "look for the allocator in this mapped file only",                     \
		 .group = OPTION_GROUP_SAMPLING,                                                \
		 ROW_TEXT(struct heap_options, library,                                         \
			  "--lib needs the path or the name of a mapped file")},                \
		PROBE_LIMIT_ROWS(struct heap_options, limit),                                   \
	{                                                                                       \
		.name = "no-preload",                                                           \
		.help = "with COMMAND: probe every call instead of preloading a sampler",       \
		.group = OPTION_GROUP_SAMPLING, ROW_MEMBER(ON, struct heap_options, no_preload) \
	}

#endif
