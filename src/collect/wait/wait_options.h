/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the kinds of waits: block, mutex, offcpu and wall. */
#ifndef CPROF_COLLECT_WAIT_OPTIONS_H
#define CPROF_COLLECT_WAIT_OPTIONS_H

#include "base/option.h"
#include "collect/kind.h"
#include "collect/probe/probe_limit.h"

enum wait_condvars { /* waits on condition variables are mostly idle time */
		     /* in the profile, but neither in tables nor in folded stacks */
		     WAIT_CONDVARS_APART,
		     WAIT_CONDVARS_COUNT, /* like every other wait */
		     WAIT_CONDVARS_DROP, /* nowhere */
};

struct wait_options {
	u64 min_ns; /* shorter waits are left out */
	u32 causes; /* 1 << enum wait_cause for each wanted one; 0 for all */
	enum wait_condvars condvars;
	bool wakers; /* offcpu: also by the waker's stack */
	bool owners; /* mutex: also what the lock's owner does meanwhile */
	bool holds; /* mutex --holds: measure hold times instead of waits */
	struct probe_limit limit; /* limits the probes of --holds */
};

extern const struct wait_options wait_defaults;

int wait_set_condvar(void *options, const char *value, struct error *err) MUST_CHECK;
int wait_set_no_condvar(void *options, const char *value, struct error *err) MUST_CHECK;
/* For the kinds of locks, this names what was waited for, and drops condition variables if
 * requested. */
int wait_refine_locks(struct profile *p, const void *options) MUST_CHECK;
/* Selects waits on condition variables, unless they are to count. */
const struct kind_hidden *wait_hidden(const void *options);

#define WAIT_MIN_ROW                                                                               \
	{                                                                                          \
		.name = "min", .value = "DURATION", .help = "leave shorter waits out (1ms, 0.5s)", \
		.group = OPTION_GROUP_SAMPLING,                                                    \
		ROW_DURATION(struct wait_options, min_ns, "a duration (10ms, 0.5s)")               \
	}

#define WAIT_CONDVAR_ROWS                                                                \
	{.name = "condvar",                                                              \
	 .help = "also count condition variables in tables and folded stacks",           \
	 .group = OPTION_GROUP_OUTPUT,                                                   \
	 .set = wait_set_condvar},                                                       \
	{                                                                                \
		.name = "no-condvar",                                                    \
		.help = "leave condition variables out of the profile (default: out of " \
			"tables)",                                                       \
		.group = OPTION_GROUP_OUTPUT, .set = wait_set_no_condvar                 \
	}

#endif
