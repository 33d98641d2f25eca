/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a stack_store, for stack_store.c, stack_merge.c,
 * stack_worth.c, stack_take.c and stack_profile.c only. */
#ifndef CPROF_COLLECT_STACK_STORE_IMPL_H
#define CPROF_COLLECT_STACK_STORE_IMPL_H

#include "collect/session/place_table.h"
#include "collect/session/stack_store.h"
#include "collect/session/stack_tree.h"

#define EPOCHS 32u

/* A key and its counts, in 64 bytes because a long recording has millions of them. */
struct stack_entry {
	/* if merged: .stack is the node, and .object that of the waker if there is one */
	struct sample_key key;
	struct sample_count count;
	u32 node; /* of the leaf */
	u32 waker; /* of the leaf of the waker's stack; TREE_ROOT if there is none */
	u32 owner : OWNER_BITS;
	u32 epoch : 5; /* when the kernel sent its frames */
	u32 merged : 1; /* it is not a key of the kernel */
	u32 awaited : 1; /* more counts will come */
	u32 shared : 1; /* another entry has the same stack, which is in the profile once */
	u32 next;
};

_Static_assert(sizeof(struct stack_entry) == 64, "no padding");

/* For each entry, for kinds with a live set. */
struct stack_live {
	struct sample_count live, peak;
};

/* There is one for each entry, once profiles are made while counting continues. */
struct stack_read {
	struct sample_count ongoing;
	struct sample_count taken; /* in the profiles of all takes */
	struct sample_count next; /* the same, including the take that is being made */
	struct sample_count owed; /* reported already, but not yet counted under this key */
};

/* Describes weights that are shares of a total which is measured otherwise. */
struct stack_scale {
	bool on;
	u16 cause;
	u64 total; /* since the beginning */
	u64 taken; /* in the profiles of all takes */
};

/* A key of the kernel whose entry was merged into another one, while counts may still come. */
struct stack_alias {
	u64 hash; /* of the key */
	u32 entry;
	u32 next;
	u8 epoch;
	bool awaited;
};

/* A waker's stack, for chained kinds, by the hash that waits have as their object. */
struct waker_stack {
	u64 hash;
	u32 node;
	u32 next;
	u8 epoch;
};

struct stack_store {
	struct stack_kind kind;
	bool by_process, by_thread, by_place;
	struct stack_tree tree;
	struct owner_table owners;
	struct place_table places;
	VEC(struct stack_entry) entries;
	VEC(struct stack_live) live; /* empty, or as many */
	VEC(struct stack_read) reads; /* the same */
	bool reading;
	struct stack_scale scale;
	VEC(float) worth; /* also as many: the worth of what is awaited, while merging */
	VEC(u32) moved; /* space for as many: where entries go, while merging */
	struct chains index;
	VEC(struct stack_alias) aliases;
	struct chains alias_index;
	VEC(struct waker_stack) wakers;
	struct chains waker_index;
	u32 sample_bytes; /* of one sample in the profile without its stack, roughly */
	float *label_worth; /* LABEL_SLOTS for each level of labels, while merging */
	bool starved; /* memory ran out below the limit */
	size_t limit, merged_size; /* bytes; the second one is the size after the last merging */
	u32 epoch; /* modulo EPOCHS */
	u64 counted, shown; /* entries with counts, and those of them whose stacks are not shared */
	u64 stacks, frames; /* number of stored stacks, and the sum of their depths */
	struct stack_merge_stats merged;
	u32 overflow; /* the node of what did not fit, below the root */
	u32 nowhere; /* the same for what becomes no sample */
};

#define MERGED_STACKS 1u /* offsets in MODULE_MERGED */
#define MERGED_NOWHERE 2u

/* For this many entries there is always space: those that take what does not fit, one for each
 * cause and outcome. */
#define SPARE_ENTRIES 256u

/* These are in stack_worth.c. */

#define STACK_LEVELS 3u /* of labels, in addition to that without labels */

/* Called once, so that merging needs no memory of its own. */
int stack_worth_reserve(struct stack_store *s) MUST_CHECK;
/* Returns the worth of what an entry has counted. */
double stack_worth_of(const struct stack_store *s, const struct stack_entry *e);
/* Returns the labels at a level; those that are most often rare are dropped first. */
struct sample_key stack_worth_labels(const struct stack_store *s, const struct sample_key *key,
				     u32 level);
/* Sums up the worth of entries (s->worth) by node, from the leaves to the root, and by labels. */
void stack_worth_sum(struct stack_store *s);
/* Returns the first level at which an entry's labels are worth `least`, by the last sums. */
u32 stack_worth_level(struct stack_store *s, const struct stack_entry *e, float least);
/* Chooses what is worth merging, by the last sums, so that about `target` bytes are worth as much.
 * Merging shows how good the guess was. */
float stack_worth_guess(const struct stack_store *s, size_t target);

/* These are in stack_store.c. */

u64 stack_key_hash(const struct stack_store *s, const struct sample_key *key, bool merged);
/* Frames are sent under a key without object, cause and outcome if those become known later. */
struct sample_key stack_key_base(const struct sample_key *key);
/* NULL if there is none. */
struct stack_entry *stack_entry_find(const struct stack_store *s, const struct sample_key *key,
				     bool merged);
/* There must be heads for it. */
void stack_entry_link(struct stack_store *s, u32 number);
/* Adds to one part of an entry. */
void stack_entry_add(struct stack_store *s, struct stack_entry *e, enum tally_part part,
		     const struct sample_count *n);
/*
 * Returns the merged entry at a node with these labels, cause and outcome, creating it if
 * necessary; NULL without memory.
 */
struct stack_entry *stack_entry_merged(struct stack_store *s, u32 node, u32 waker, u32 owner,
				       const struct sample_key *labels);

/* An entry's object is dropped; this gives what counts under `key` afterwards. */
void stack_key_forget_object(const struct stack_store *s, struct sample_key *key,
			     struct sample_count *n);
/* NULL if there is none. */
struct stack_alias *stack_alias_find(struct stack_store *s, const struct sample_key *key);
/* Returns what was counted, plus whatever has not ended. */
struct sample_count stack_entry_total(const struct stack_store *s, u32 number);
/* `moved` has the entries in the order of their nodes. */
void stack_take_prepare(struct stack_store *s);
void stack_take_commit(struct stack_store *s);
void stack_waker_link(struct stack_store *s, u32 number);

#endif
