/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merges rare stacks (stack_store_merge). It runs when memory is nearly used up, so it allocates
 * next to nothing: arrays with one item for each node or entry were allocated from the beginning.
 */
#include <math.h>
#include <string.h>

#include "collect/session/stack_store_impl.h"

/*
 * Does one round, for what is worth less than `least`:
 *
 * - The worth is summed up by node, from the leaves to the root, and by labels.
 * - Nodes below `least` are dropped. By then it is known where a stack goes that has lost its leaf
 *   side: to its deepest node that stays, with the mark MODULE_MERGED below.
 * - Entries are rewritten in place, and those that have become equal become one. A rare entry keeps
 *   the labels that are worth enough by themselves, and it keeps its frames if only its labels are
 *   rare.
 */

/*
 * Counts come in the epoch of their frames. A program that was preempted in between is later, and
 * each merging passes two epochs in milliseconds.
 */
#define RECENT_EPOCHS 4u
#define LEAF_FRAMES 16u /* enough to decide whether a stack becomes a sample */
#define GONE UINT32_MAX
#define STEP 1.5f

struct merging {
	struct stack_store *s;
	float least; /* what is worth less is merged */
	u32 kept; /* entries so far */
};

/* ---- what is still needed ---- */

static bool is_recent(const struct stack_store *s, u32 epoch)
{
	return (s->epoch - epoch) % EPOCHS < RECENT_EPOCHS;
}

void stack_store_epoch(struct stack_store *s)
{
	s->epoch = (s->epoch + 1) % EPOCHS;
}

void stack_store_merge_begin(struct stack_store *s)
{
	for (size_t i = 0; i < s->entries.len; i++) {
		s->entries.data[i].awaited = 0;
		s->worth.data[i] = 0;
	}
	vec_for_each(&s->aliases, a)
		a->awaited = false;
}

/* Returns its own entry, or that of the frames that it will share. */
static struct stack_entry *entry_awaited(struct stack_store *s, const struct sample_key *key,
					 const struct sample_key *base)
{
	struct stack_entry *e = stack_entry_find(s, key, false);

	return e ? e : stack_entry_find(s, base, false);
}

void stack_store_await(struct stack_store *s, const struct sample_key *key, double worth)
{
	const struct sample_key base = stack_key_base(key);
	struct stack_entry *e = entry_awaited(s, key, &base);
	struct stack_alias *a = e ? NULL : stack_alias_find(s, key);

	if (!e && !a)
		a = stack_alias_find(s, &base);
	if (e)
		e->awaited = 1;
	else if (a)
		a->awaited = true;
	else
		return;
	s->worth.data[e ? (u32)(e - s->entries.data) : a->entry] += (float)worth;
}

/* Keys that were merged earlier keep their entries alive. */
static void drop_aliases(struct stack_store *s)
{
	size_t kept = 0;

	vec_for_each(&s->aliases, a) {
		if (!a->awaited && !is_recent(s, a->epoch))
			continue;
		s->entries.data[a->entry].awaited = 1;
		s->aliases.data[kept++] = *a;
	}
	s->aliases.len = kept;
}

/* ---- where entries go ---- */

/* Holds what accompanies an entry. */
struct entry_parts {
	struct stack_live live;
	struct stack_read read;
};

static struct entry_parts parts_of(const struct stack_store *s, size_t number)
{
	struct entry_parts parts;

	memset(&parts, 0, sizeof(parts));
	if (s->kind.live)
		parts.live = s->live.data[number];
	if (s->reading)
		parts.read = s->reads.data[number];
	return parts;
}

static void add_parts(struct stack_store *s, u32 to, const struct stack_entry *e,
		      const struct entry_parts *parts, bool forget)
{
	const struct sample_count counts[] = {
		[TALLY_COUNT] = e->count,          [TALLY_LIVE] = parts->live.live,
		[TALLY_PEAK] = parts->live.peak,   [TALLY_ONGOING] = parts->read.ongoing,
		[TALLY_TAKEN] = parts->read.taken,
	};

	for (u32 part = TALLY_COUNT; part < ARRAY_LEN(counts); part++) {
		struct sample_count n = counts[part];
		struct sample_key key = e->key;

		if (!n.samples && !n.weight)
			continue;
		if (forget)
			stack_key_forget_object(s, &key, &n);
		stack_entry_add(s, &s->entries.data[to], (enum tally_part)part, &n);
	}
}

/* Returns the next place in the vector, which is never after the entry that is being processed. */
static u32 keep(struct merging *m, const struct stack_entry *e, float worth)
{
	struct stack_store *s = m->s;
	u32 number = m->kept++;

	s->entries.data[number] = *e;
	s->entries.data[number].count = (struct sample_count){0};
	s->worth.data[number] = worth;
	if (s->kind.live)
		s->live.data[number] = (struct stack_live){.live = {0}};
	if (s->reading)
		s->reads.data[number] = (struct stack_read){.taken = {0}};
	stack_entry_link(s, number);
	return number;
}

static u32 keep_merged(struct merging *m, const struct stack_entry *e, float worth)
{
	struct stack_entry *known = stack_entry_find(m->s, &e->key, true);
	u32 number;

	if (!known)
		return keep(m, e, worth);
	number = (u32)(known - m->s->entries.data);
	known->awaited |= e->awaited;
	m->s->worth.data[number] += worth;
	return number;
}

static u32 merged_node(struct stack_store *s, u32 moved)
{
	u32 node = moved & ~TREE_CUT;

	if (node == moved || node == s->nowhere)
		return node;
	return stack_tree_child(&s->tree, node, FRAME(MODULE_MERGED, MERGED_STACKS));
}

/* It represents nothing, and nothing will come. */
static bool is_needless(const struct stack_store *s, const struct stack_entry *e,
			const struct entry_parts *parts)
{
	const struct sample_count *taken = &parts->read.taken;

	return !e->count.samples && !e->count.weight && !taken->samples && !taken->weight &&
	       !parts->live.live.samples && !parts->live.peak.samples && !e->awaited &&
	       (e->merged || !is_recent(s, e->epoch));
}

/*
 * Records where later counts of a merged key go; without memory they are counted at the root. That
 * entry must stay through further rounds, even while it has no counts.
 */
static void add_alias(struct stack_store *s, const struct stack_entry *e, u32 to)
{
	const struct stack_alias a = {.hash = stack_key_hash(s, &e->key, false),
				      .entry = to,
				      .epoch = (u8)e->epoch,
				      .awaited = e->awaited};

	if (e->merged || (!e->awaited && !is_recent(s, e->epoch)) || vec_push(&s->aliases, a))
		return;
	s->entries.data[to].awaited = 1;
}

/* Returns an owner at a level of labels. Without memory it has none. */
static u32 owner_at(struct stack_store *s, u32 owner, u32 level)
{
	struct thread_id less = *owner_table_get(&s->owners, owner);
	const struct owner_item from = s->owners.items.data[owner];
	struct owner_item *to;
	u32 number;

	if (level == 0)
		return owner;
	if (level == STACK_LEVELS)
		return OWNER_NONE;
	less.tid.nr = 0;
	memset(less.comm, 0, sizeof(less.comm));
	if (owner_table_put(&s->owners, &less, &number))
		return OWNER_NONE;
	to = &s->owners.items.data[number];
	if (number != OWNER_NONE && !to->place && !to->group) {
		to->place = from.place;
		to->group = from.group;
	}
	return number;
}

/* Creates the merged entry that represents `e` from now on, or finds it. */
static u32 merge_entry(struct merging *m, const struct stack_entry *e,
		       const struct entry_parts *parts, u32 level, float worth)
{
	struct stack_store *s = m->s;
	struct sample_key key = e->key, labels = stack_worth_labels(s, &e->key, level);
	struct stack_entry to = *e;
	bool forget = labels.object != key.object && !s->kind.chained;
	u32 number;

	if (forget)
		stack_key_forget_object(s, &key, &(struct sample_count){0});
	to.key = labels;
	to.key.cause = key.cause;
	to.key.outcome = key.outcome;
	to.merged = 1;
	to.shared = 0;
	to.owner = owner_at(s, e->owner, level);
	to.node = to.key.stack = merged_node(s, e->node);
	to.waker = merged_node(s, e->waker);
	if (s->kind.chained)
		to.key.object = to.waker;
	number = keep_merged(m, &to, worth);
	add_parts(s, number, e, parts, forget);
	add_alias(s, e, number);
	if (!e->merged && to.node != e->node && to.node != s->nowhere &&
	    (e->count.samples || e->count.weight))
		s->merged.stacks++;
	return number;
}

/* The nodes of an entry have been renumbered. */
static u32 stay(struct merging *m, struct stack_entry *e, const struct entry_parts *parts,
		float worth)
{
	u32 number;

	if (e->merged) {
		e->key.stack = e->node;
		if (m->s->kind.chained)
			e->key.object = e->waker;
		number = keep_merged(m, e, worth);
	} else {
		number = keep(m, e, worth);
	}
	add_parts(m->s, number, e, parts, false);
	return number;
}

static u32 place(struct merging *m, struct stack_entry *e, const struct entry_parts *parts,
		 float worth)
{
	bool cut = (e->node | e->waker) & TREE_CUT;
	u32 level;

	if (is_needless(m->s, e, parts))
		return GONE;
	if (worth >= m->least && !cut)
		return stay(m, e, parts, worth);
	level = stack_worth_level(m->s, e, m->least);
	if (!cut && !level)
		return stay(m, e, parts, worth);
	return merge_entry(m, e, parts, level, worth);
}

static void place_all(struct merging *m)
{
	struct stack_store *s = m->s;
	size_t n = s->entries.len;

	chains_clear(&s->index);
	s->counted = s->shown = 0;
	for (size_t i = 0; i < n; i++) {
		struct stack_entry e = s->entries.data[i];
		const struct entry_parts parts = parts_of(s, i);

		s->moved.data[i] = place(m, &e, &parts, s->worth.data[i]);
	}
	s->entries.len = s->worth.len = m->kept;
	if (s->kind.live)
		s->live.len = m->kept;
	if (s->reading)
		s->reads.len = m->kept;
}

/* ---- one round ---- */

static bool is_left_out(const struct stack_store *s, u32 node)
{
	u64 frames[LEAF_FRAMES];
	u32 n = stack_tree_frames(&s->tree, node, frames, LEAF_FRAMES);

	return n && s->kind.skip && s->kind.skip(s->kind.arg, frames, n) >= n;
}

/* This runs while the old nodes still exist. What becomes no sample must not be merged with what
 * does. */
static void renumber_nodes(struct merging *m)
{
	struct stack_store *s = m->s;

	vec_for_each(&s->entries, e) {
		u32 moved = stack_tree_moved(&s->tree, e->node);

		if (moved & TREE_CUT && is_left_out(s, e->node))
			moved = stack_tree_moved(&s->tree, s->nowhere) | TREE_CUT;
		e->node = moved;
		e->waker = stack_tree_moved(&s->tree, e->waker);
	}
	vec_for_each(&s->wakers, w)
		w->node = stack_tree_moved(&s->tree, w->node);
}

static void move_aliases(struct stack_store *s, size_t old)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->aliases.len; i++) {
		struct stack_alias a = s->aliases.data[i];

		if (i < old)
			a.entry = s->moved.data[a.entry];
		if (a.entry != GONE)
			s->aliases.data[kept++] = a;
	}
	s->aliases.len = kept;
}

/* The kernel sends a waker's stack again after each change of maps. */
static void move_wakers(struct stack_store *s)
{
	size_t kept = 0;

	vec_for_each(&s->wakers, w) {
		if (!is_recent(s, w->epoch))
			continue;
		w->node = merged_node(s, w->node);
		s->wakers.data[kept++] = *w;
	}
	s->wakers.len = kept;
}

static void move_owners(struct stack_store *s)
{
	owner_table_begin(&s->owners);
	vec_for_each(&s->entries, e)
		owner_table_mark(&s->owners, e->owner);
	owner_table_renumber(&s->owners);
	vec_for_each(&s->entries, e)
		e->owner = owner_table_moved(&s->owners, e->owner);
	owner_table_end(&s->owners);
}

static void merge_once(struct merging *m)
{
	struct stack_store *s = m->s;
	size_t aliases = s->aliases.len;

	stack_worth_sum(s);
	/* These two stay, as the root does, because counts without space must have a place to
	 * go. */
	s->tree.side.data[TREE_ROOT].worth = s->tree.side.data[s->nowhere].worth =
		s->tree.side.data[s->overflow].worth = INFINITY;
	stack_tree_mark(&s->tree, m->least);
	renumber_nodes(m);
	s->nowhere = stack_tree_moved(&s->tree, s->nowhere);
	s->overflow = stack_tree_moved(&s->tree, s->overflow);
	stack_tree_compact(&s->tree);
	m->kept = 0;
	place_all(m);
	move_aliases(s, aliases);
	move_wakers(s);
	move_owners(s);
}

/* ---- the whole merging ---- */

static void link_aliases(struct stack_store *s)
{
	chains_shrink(&s->alias_index, s->aliases.len);
	/* Without memory for heads the old ones suffice, although they are fewer. */
	(void)!chains_reserve(&s->alias_index, s->aliases.len);
	for (size_t i = 0; s->alias_index.count && i < s->aliases.len; i++) {
		struct stack_alias *a = &s->aliases.data[i];
		u32 *head = chains_head(&s->alias_index, a->hash);

		a->next = *head;
		*head = (u32)i + 1;
	}
}

static void trim(struct stack_store *s)
{
	const size_t capacity = s->entries.len + SPARE_ENTRIES;

	stack_tree_trim(&s->tree);
	vec_shrink(&s->entries, capacity);
	vec_shrink(&s->worth, capacity);
	vec_shrink(&s->moved, capacity);
	vec_shrink(&s->live, capacity);
	vec_shrink(&s->reads, capacity);
	vec_shrink(&s->aliases, s->aliases.len);
	vec_shrink(&s->wakers, s->wakers.len);
	chains_shrink(&s->index, capacity);
	for (size_t i = 0; i < s->entries.len; i++)
		stack_entry_link(s, (u32)i);
	chains_shrink(&s->waker_index, s->wakers.len);
	for (size_t i = 0; i < s->wakers.len; i++)
		stack_waker_link(s, (u32)i);
	link_aliases(s);
}

static size_t bytes_of(const struct stack_store *s)
{
	struct stack_store_size size = stack_store_size(s);

	return size.held + size.planned;
}

void stack_store_merge(struct stack_store *s, size_t target)
{
	struct merging m = {.s = s};

	/* If memory ran out below the limit, the limit does not help. */
	if (s->starved && target > bytes_of(s) / 2)
		target = bytes_of(s) / 2;
	drop_aliases(s);
	for (size_t i = 0; i < s->entries.len; i++)
		s->worth.data[i] += (float)stack_worth_of(s, &s->entries.data[i]);
	stack_worth_sum(s);
	m.least = stack_worth_guess(s, target);
	do {
		merge_once(&m);
		trim(s);
		s->merged_size = bytes_of(s);
		m.least *= STEP;
	} while (s->merged_size > target && isfinite(m.least));
	s->starved = false;
}

void stack_store_halve(struct stack_store *s)
{
	stack_store_merge_begin(s);
	stack_store_merge(s, bytes_of(s) / 2);
}

struct stack_merge_stats stack_store_merged(const struct stack_store *s)
{
	return s->merged;
}
