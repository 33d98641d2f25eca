/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kind of profile as one thing: what it is called, what it can be asked, which collector gathers it and
 * what is made of the profile once its functions have names. Each kind is defined as
 * `const struct profile_kind kind_<name>` in the file of its collector; record/kinds.h lists them.
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
		    KIND_RATE = 1 << 2, /* samples by a clock or a counter, not every occurrence */
};

struct kind_hidden {
	const char *key, *text; /* the label that such samples have */
	const char *option; /* that shows them: "--condvar" */
};

#define KIND_OPTIONS_MAX 256

/* Room for the options of any kind. */
union kind_options {
	unsigned char bytes[KIND_OPTIONS_MAX];
	u64 number;
	const void *pointer;
};

/* Of a struct profile_kind: the table of its rows and the struct of their defaults. */
#define KIND_OPTIONS(rows_, defaults_)             \
	.rows = (rows_), .defaults = &(defaults_), \
	.options_size = sizeof(defaults_) +        \
			0 * sizeof(char[sizeof(defaults_) <= KIND_OPTIONS_MAX ? 1 : -1])

struct profile_kind {
	const char *name; /* "cpu": the verb, and part of the names of output files */
	const char *summary; /* for help: "who allocates most, freed or not" */
	u32 faculties; /* enum kind_faculty */
	collector_new_fn collector_new; /* needs BPF, and so privileges */
	collector_new_fn fallback_new; /* needs none; NULL: there is no such way */
	/* Options of its own: a struct of the kind, with rows that set its members. NULL, 0: it has none. */
	const struct option_row *rows; /* a nameless one ends them */
	const void *defaults;
	size_t options_size; /* of the struct, at most KIND_OPTIONS_MAX */
	/* Which of them go together: 0, or -EINVAL with a text for the user. NULL: any. */
	int (*check)(const void *options, struct error *err);
	/*
	 * Whether a command is started with libcprof-heap.so in front of its allocator, and how many bytes lie
	 * between two of its samples. NULL: never.
	 */
	bool (*sampler_rate)(const void *options, u64 *rate);
	/* What is printed for people in place of a table of functions; NULL, or a result of NULL: that table. */
	const struct format *(*table)(const void *options);
	/* Why a profile has no samples when none was lost; NULL: no CPU time was used. */
	const char *why_empty;
	/* What can be told of the profile once its functions have names; NULL: nothing. */
	int (*refine)(struct profile *p, const void *options);
	/* Samples that are in the profile, but neither in tables nor in folded stacks; NULL, or a result of NULL: none. */
	const struct kind_hidden *(*hidden)(const void *options);
};

#endif
