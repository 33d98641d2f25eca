/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the stack of one perf sample. Kernel frames are taken as they are, and the user's are
 * unwound from the copy of the stack. */
#ifndef CPROF_COLLECT_PERF_WALK_H
#define CPROF_COLLECT_PERF_WALK_H

#include "base/bpf_shared.h"
#include "collect/perf/perf_modules.h"
#include "collect/perf/perf_record.h"

struct perf_walk {
	struct perf_modules *modules;
	/* Of the sample's process. NULL if it is not in cprof's PID namespace, so its mappings
	 * cannot be read. */
	const struct address_space *space;
	bool kernel, user; /* which frames are wanted */
};

/*
 * Walks into `st`. It is true if a file of the stack is being loaded, or code in it followed; then
 * the stack ends there (STACK_LOADING), and can be walked again.
 */
bool perf_walk_sample(const struct perf_walk *w, const struct perf_sample *s,
		      struct stack_walk *st);

#endif
