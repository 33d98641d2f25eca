/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds what was counted, in user space: stacks in a tree, counts by key, and the threads that they
 * belong to. The kernel's maps or the perf sampler fill it, and at the end it becomes a profile.
 *
 * It never fails for lack of memory. What does not fit is still counted, under one stack that says
 * "[too many stacks]", and stack_store_merge() frees memory by merging what is rare.
 */
#ifndef CPROF_COLLECT_STACK_STORE_H
#define CPROF_COLLECT_STACK_STORE_H

#include "collect/collector.h"
#include "collect/session/module_set.h"
#include "collect/session/owner_table.h"

struct stack_store;

/* What the store must know about a kind of profile. Functions may be NULL if they are not
 * needed. */
struct stack_kind {
	bool chained; /* objects are hashes of wakers' stacks */
	bool live; /* live blocks are counted as well (TALLY_LIVE, TALLY_PEAK) */
	/* Returns what a count is worth, so that the least is merged first; NULL for its weight. */
	double (*worth)(void *arg, const struct sample_key *key, const struct sample_count *n);
	/*
	 * Is called before the object of a key is dropped. It changes the key's cause and the count
	 * so that counts of different objects add up.
	 */
	void (*forget_object)(void *arg, struct sample_key *key, struct sample_count *n);
	/*
	 * Returns how many of the shown frames at the leaf are left out. If all are, the stack
	 * becomes no sample and is not merged.
	 */
	u32 (*skip)(void *arg, const u64 *frames, u32 nframes);
	void *arg;
};

int stack_store_new(const struct collect_options *opt, const struct stack_kind *kind,
		    struct stack_store **out) MUST_CHECK;
void stack_store_free(struct stack_store *s);

/* Stores the frames of a key (leaf first; copied). For a known key nothing happens. */
void stack_store_put(struct stack_store *s, const struct sample_key *key,
		     const struct thread_id *owner, const u64 *frames, u32 nframes);

bool stack_store_knows(const struct stack_store *s, const struct sample_key *key);

struct sample_tally {
	struct sample_count count;
	struct sample_count live,
		peak; /* those of them alive at the end, and alive at the peak (heap profiles) */
};

enum tally_part {
	TALLY_COUNT,
	TALLY_LIVE,
	TALLY_PEAK,
	TALLY_ONGOING, /* after stack_store_begin_reading(): counts for the next profile only */
	TALLY_TAKEN, /* used by the store itself */
};

/*
 * Adds to the counts of a key; -ENOENT if its frames never came. Frames of a key without cause,
 * outcome and object belong to every key that has some.
 */
int stack_store_add(struct stack_store *s, const struct sample_key *key, enum tally_part part,
		    const struct sample_count *n);
/* For kinds with a live set: nothing is alive, or what is alive is what was at the peak. */
void stack_store_forget_live(struct stack_store *s);
void stack_store_live_is_peak(struct stack_store *s);
/* Scales the weights under a cause in profiles, so that they add up to `total` since the beginning,
 * each in proportion. */
void stack_store_scale(struct stack_store *s, u16 cause, u64 total);

/* ---- memory ---- */

struct stack_store_size {
	size_t held; /* bytes that the store uses */
	size_t planned; /* bytes that its profile will use, roughly */
};

struct stack_store_size stack_store_size(const struct stack_store *s);
/* Above this size (held and planned) no new stack is accepted. 0 for no limit. */
void stack_store_limit(struct stack_store *s, size_t bytes);
/* Returns whether it is time to merge: the size is near the limit or memory has run out, and it has
 * grown since the last time. */
bool stack_store_is_tight(const struct stack_store *s);

/*
 * Merges rare stacks. What is worth least loses its leaf side up to the first frame below which
 * enough has come together, and MODULE_MERGED takes its place. Labels that distinguish few from
 * many are dropped in the same way. All sums stay the same. What is merged may come again as a
 * separate stack.
 *
 * The kernel still counts under keys whose frames it has sent. Those of the last four epochs are
 * remembered by themselves, and older ones by stack_store_await():
 *
 * 	stack_store_epoch()        when the kernel's counts have been changed over
 * 	stack_store_merge_begin()
 * 	stack_store_await()        for each key that is waiting in some other map
 * 	stack_store_epoch()        once more, and the old counts are taken in
 * 	stack_store_merge()
 *
 * If the kernel keeps no keys, stack_store_merge_begin() and stack_store_merge() are enough.
 */
void stack_store_epoch(struct stack_store *s);
void stack_store_merge_begin(struct stack_store *s);
/* Says that counts will come under `key`, and what they will be worth. */
void stack_store_await(struct stack_store *s, const struct sample_key *key, double worth);
/* After recording, merges until half of the memory is enough. */
void stack_store_halve(struct stack_store *s);
/* Merges until at most `target` bytes are held and planned, if that is possible at all. */
void stack_store_merge(struct stack_store *s, size_t target);

/* The share refers to the profile that stack_store_to_profile() made last. */
struct stack_merge_stats stack_store_merged(const struct stack_store *s);

/* ---- the profile ---- */

#define SAMPLE_VALUES_MAX 6
#define SAMPLE_LABELS_MAX 12

struct sample_label {
	const char *key;
	const char *text; /* NULL for `number` */
	s64 number;
	const char *unit; /* of the number; NULL if there is none */
};

/* Says what a kind makes of a key; without it the values are the counts. */
struct sample_mapping {
	/* Gives one value for each of the profile's sample types. */
	void (*values)(void *arg, const struct sample_key *key, const struct sample_tally *tally,
		       s64 values[SAMPLE_VALUES_MAX]);
	/* Adds the kind's own labels and returns their number; NULL if it has none. */
	u32 (*labels)(void *arg, const struct sample_key *key, const struct thread_id *owner,
		      struct sample_label labels[SAMPLE_LABELS_MAX]);
	/* Returns whether a key becomes a sample. NULL if every key does. */
	bool (*wanted)(void *arg, const struct sample_key *key);
	/*
	 * The first values are flows, of which stack_store_take() returns what came since the last
	 * time. The others are a state. If it is 0, all of them are flows.
	 */
	u32 nflows;
	void *arg;
};

/*
 * Adds every key as a sample. Without `mapping` the values are { samples, weight } if the profile
 * has two sample types, and { weight } if it has one. For a chained kind the waker's stack comes
 * first, upside down, and then "--". Mappings get their module as source; JIT modules come from
 * `modules`.
 */
int stack_store_to_profile(struct stack_store *s, struct module_set *modules,
			   const struct collect_options *opt, const struct sample_mapping *mapping,
			   struct profile *p) MUST_CHECK;
/*
 * Does the same while counting continues. Nothing is lost, and the profile has all that was counted
 * so far. Call it before: it forgets whatever has not ended, so that it can be added anew as
 * TALLY_ONGOING. Returns 0 or -ENOMEM.
 */
int stack_store_begin_reading(struct stack_store *s) MUST_CHECK;
/*
 * Call it after stack_store_begin_reading(). The profile has what was counted since the last one
 * that this made. After an error it is as if it had not been called. All takes together are equal
 * to one profile of the whole, with one exception: where a wait that had not ended later ended with
 * another cause or outcome, or at another stack of its waker, its values stay where they were first
 * reported.
 */
int stack_store_take(struct stack_store *s, struct module_set *modules,
		     const struct collect_options *opt, const struct sample_mapping *mapping,
		     struct profile *p) MUST_CHECK;
/* Marks the modules of all frames. */
void stack_store_mark(const struct stack_store *s, struct module_marks *m);
/* Frees its memory once the profile has been made. */
void stack_store_clear(struct stack_store *s);

#endif
