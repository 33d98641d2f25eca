/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kind of profile as one thing: what it is called, what it can be asked, which collector gathers it and
 * what is made of the profile once its functions have names. Each kind is defined as
 * `const struct profile_kind kind_<name>` in the file of its collector; record/kinds.h lists them.
 */
#ifndef CPROF_COLLECT_KIND_H
#define CPROF_COLLECT_KIND_H

#include "collect/collector.h"

typedef int (*collector_new_fn)(const struct collect_options *opt, struct collector **out,
				struct error *err);

enum kind_faculty { /* bits */
		    KIND_MACHINE = 1 << 0, /* also records the whole machine and control groups */
		    KIND_KERNEL = 1 << 1, /* stacks have frames of the kernel */
		    KIND_RATE =
			    1
			    << 2, /* samples by a clock or a counter; else every occurrence is seen */
		    KIND_EVENT = 1 << 3, /* by any event, not only by the CPU's clock */
};

struct profile_kind {
	const char *name; /* "cpu": the verb, and part of the names of output files */
	const char *
		summary; /* for help: "time lost waiting on locks, by the call stack that waited" */
	u32 faculties; /* enum kind_faculty */
	collector_new_fn collector_new; /* needs BPF, and so privileges */
	collector_new_fn fallback_new; /* needs none; NULL: there is no such way */
	bool live; /* blocks are followed until they are freed */
	bool preloads; /* a command is started with libcprof-heap.so in front of its allocator */
	const char *why_empty; /* when nothing was lost; NULL: no CPU time was used */
	/* What can be told of the profile once its functions have names; NULL: nothing. */
	int (*refine)(struct profile *p, const struct collect_options *opt);
	/* Says what should not be overlooked in the profile, by log_note(); NULL: nothing. */
	void (*notes)(const struct profile *p, const struct collect_stats *s,
		      const struct log *log);
	/*
	 * A label and its text: such samples are in the profile, but neither in tables nor in folded stacks,
	 * unless the user asks for them. NULL: there are none.
	 */
	const char *hidden_key, *hidden_text;
};

#endif
