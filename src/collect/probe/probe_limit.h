/* SPDX-License-Identifier: Apache-2.0 */
/* Bounds how much probes may slow down a target: the options --max-slowdown and --force of every
 * kind that probes. */
#ifndef CPROF_COLLECT_PROBE_LIMIT_H
#define CPROF_COLLECT_PROBE_LIMIT_H

#include "base/option.h"

#define PROBE_LIMIT_DEFAULT 50 /* percent */

struct probe_limit {
	u32 max_slowdown; /* in percent; more is refused. 0 for PROBE_LIMIT_DEFAULT */
	bool force; /* whatever it costs */
};

static inline bool probe_limit_given(const struct probe_limit *l)
{
	return l->max_slowdown || l->force;
}

/* In percent; 0 for no limit. */
static inline u32 probe_limit_percent(const struct probe_limit *l)
{
	if (l->force)
		return 0;
	return l->max_slowdown ? l->max_slowdown : PROBE_LIMIT_DEFAULT;
}

/* Rows for a struct with such a member. */
#define PROBE_LIMIT_ROWS(struct_, member_)                                                       \
	{.name = "max-slowdown",                                                                 \
	 .value = "PERCENT",                                                                     \
	 .help = "refuse to slow the target down more (default 50)",                             \
	 .group = OPTION_GROUP_SAMPLING,                                                         \
	 ROW_NUMBER(struct_, member_.max_slowdown, 1, 100000, "a percentage from 1 to 100000")}, \
	{                                                                                        \
		.name = "force", .help = "record whatever it costs the target",                  \
		.group = OPTION_GROUP_SAMPLING, ROW_MEMBER(ON, struct_, member_.force)           \
	}

#endif
