/* SPDX-License-Identifier: Apache-2.0 */
/* The stack of one perf sample: kernel frames as they come, the user's walked over the copy of the stack. */
#ifndef CPROF_COLLECT_PERF_WALK_H
#define CPROF_COLLECT_PERF_WALK_H

#include "base/bpf_shared.h"
#include "collect/perf/perf_modules.h"
#include "collect/perf/perf_record.h"

struct perf_walk {
	struct perf_modules *modules;
	/* Of the sample's process. NULL: it is not in cprof's PID namespace, so what it maps cannot be read. */
	const struct address_space *space;
	bool kernel, user; /* which frames are wanted */
};

/*
 * Walks into `st`. True: a file on the way is being loaded; the stack ends there (STACK_LOADING), and can be
 * walked again.
 */
bool perf_walk_sample(const struct perf_walk *w, const struct perf_sample *s,
		      struct stack_walk *st);

#endif
