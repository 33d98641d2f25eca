/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was counted, in user space: stacks by hash, counts by key, and who they belong to. Filled from
 * the kernel's maps or by the perf sampler; turned into a profile at the end.
 */
#ifndef CPROF_COLLECT_STACK_STORE_H
#define CPROF_COLLECT_STACK_STORE_H

#include "collect/collector.h"
#include "collect/module_set.h"
#include "collect/owner_table.h"

struct stack_store;

int stack_store_new(struct stack_store **out) MUST_CHECK;
void stack_store_free(struct stack_store *s);

/* Remembers the frames behind a key (leaf first; copied). Again for a known key: nothing happens. */
int stack_store_put(struct stack_store *s, const struct sample_key *key,
		    const struct stack_owner *owner, const u64 *frames, u32 nframes) MUST_CHECK;
/*
 * Adds to a key's counts; -ENOENT when its frames never came. Frames of a key without cause, outcome and
 * object are those of every key that has some.
 */
int stack_store_count(struct stack_store *s, const struct sample_key *key,
		      const struct sample_count *n);
/* Makes the weights under a cause add up to `total`, each in proportion. */
void stack_store_scale(struct stack_store *s, u16 cause, u64 total);

struct sample_tally {
	struct sample_count count;
	struct sample_count live,
		peak; /* of these: alive at the end, alive at the peak (heap profiles) */
};

/* What was counted under a key, to be added to; NULL when its frames never came. */
struct sample_tally *stack_store_tally(struct stack_store *s, const struct sample_key *key);

#define SAMPLE_VALUES_MAX 6
#define SAMPLE_LABELS_MAX 6

struct sample_label {
	const char *key;
	const char *text; /* NULL: `number` */
	s64 number;
	const char *unit; /* of the number; NULL: none */
};

/* What a kind makes of a key; without one the values are the counts. */
struct sample_meaning {
	/* One value for each of the profile's sample types. */
	void (*values)(void *arg, const struct sample_key *key, const struct sample_tally *tally,
		       s64 values[SAMPLE_VALUES_MAX]);
	/* Labels of its own, whose number is returned; NULL: it has none. */
	u32 (*labels)(void *arg, const struct sample_key *key, const struct stack_owner *owner,
		      struct sample_label labels[SAMPLE_LABELS_MAX]);
	/*
	 * How many frames at the leaf are left out; all of them: so is the sample. NULL: none.
	 */
	u32 (*skip)(void *arg, const u64 *frames, u32 nframes);
	/* Whether a key becomes a sample. NULL: every one does. */
	bool (*wanted)(void *arg, const struct sample_key *key);
	/* The object is the number of a second stack, whose frames follow: upside down, after "--". */
	bool chained;
	void *arg;
};

/*
 * Adds every key as a sample. Without `meaning` values are { samples, weight } when the profile has two
 * sample types, { weight } when it has one. Mappings get their module as source; JIT modules are asked of
 * `modules`.
 */
int stack_store_to_profile(const struct stack_store *s, struct module_set *modules,
			   const struct collect_options *opt, const struct sample_meaning *meaning,
			   struct profile *p) MUST_CHECK;

#endif
