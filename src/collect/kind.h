/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kind of profile as one thing: its name, its options, the collector that gathers it, and what is
 * done with the profile once its functions have names. Each kind is defined as `const struct
 * profile_kind kind_<name>` in the file of its collector; record/kinds.h lists them.
 */
#ifndef CPROF_COLLECT_KIND_H
#define CPROF_COLLECT_KIND_H

#include "base/option.h"
#include "collect/collector.h"

struct format; /* format/format.h */

typedef int (*collector_new_fn)(const struct collect_options *opt, struct collector **out,
				struct error *err);

enum kind_faculty { /* bits */
		    KIND_MACHINE = 1 << 0, /* also records the whole machine and control groups */
		    KIND_KERNEL = 1 << 1, /* stacks have frames of the kernel */
		    /* samples by a clock or a counter, and not every occurrence */
		    KIND_RATE = 1 << 2,
		    KIND_PROBES = 1 << 3, /* puts probes into the code of its targets */
		    /* shows one moment of processes that run: no duration, no command */
		    KIND_MOMENT = 1 << 4,
};

struct kind_hidden {
	const char *key, *text; /* the label that such samples have */
	const char *option; /* the option that shows them: "--condvar" */
};

#define KIND_OPTIONS_MAX 256

/* Has space for the options of any kind. */
union kind_options {
	unsigned char bytes[KIND_OPTIONS_MAX];
	u64 number;
	const void *pointer;
};

/* For a struct profile_kind: the table of its rows and the struct of their defaults. */
#define KIND_OPTIONS(rows_, defaults_)             \
	.rows = (rows_), .defaults = &(defaults_), \
	.options_size = sizeof(defaults_) +        \
			0 * sizeof(char[sizeof(defaults_) <= KIND_OPTIONS_MAX ? 1 : -1])

struct profile_kind {
	const char *name; /* "cpu": the verb, and a part of the names of output files */
	const char *summary; /* for help: "running, runnable and blocked time, by call stack" */
	u32 faculties; /* enum kind_faculty */
	collector_new_fn collector_new; /* needs BPF, and so privileges */
	collector_new_fn fallback_new; /* needs no privileges; NULL if there is no such way */
	/* The kind's own options: a struct, with rows that set its members. NULL and 0 if it has
	 * none. */
	const struct option_row *rows; /* a nameless one ends them */
	const void *defaults;
	size_t options_size; /* of the struct; at most KIND_OPTIONS_MAX */
	/* Checks which of them go together. Returns 0, or -EINVAL with a text for the user. NULL if
	 * all do. */
	int (*check)(const void *options, struct error *err);
	/*
	 * Returns whether a command is started with libcprof-heap.so in front of its allocator, and
	 * gives the bytes between two of its samples. NULL if it never is.
	 */
	bool (*sampler_rate)(const void *options, u64 *rate);
	/* Returns what is printed for people in place of a table of functions. NULL, or a result of
	 * NULL, selects that table. */
	const struct format *(*table)(const void *options);
	/* Says why a profile has no samples although none was lost; NULL if the reason is that no
	 * CPU time was used. */
	const char *why_empty;
	/* Completes the profile once its functions have names; NULL if there is nothing to do. */
	int (*refine)(struct profile *p, const void *options);
	/* Returns the samples that are in the profile, but neither in tables nor in folded stacks.
	 * NULL, or a result of NULL, if there are none. */
	const struct kind_hidden *(*hidden)(const void *options);
};

#endif
