/* SPDX-License-Identifier: Apache-2.0 */
/* Holds what was counted, in user space: see stack_store.h. */
#include "collect/session/stack_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collect/session/stack_store_impl.h"
#include "profile/id_table.h"

/* what an address uses: a location, a line, a function and its names */
#define LOCATION_BYTES 192u

/* ---- entries ---- */

u64 stack_key_hash(const struct stack_store *s, const struct sample_key *key, bool merged)
{
	return hash_bytes(s->tree.seed + merged, key, sizeof(*key));
}

struct stack_entry *stack_entry_find(const struct stack_store *s, const struct sample_key *key,
				     bool merged)
{
	u32 at = chains_first(&s->index, stack_key_hash(s, key, merged));

	for (; at; at = s->entries.data[at - 1].next) {
		struct stack_entry *e = &s->entries.data[at - 1];

		if (e->merged == merged && !memcmp(&e->key, key, sizeof(*key)))
			return e;
	}
	return NULL;
}

void stack_entry_link(struct stack_store *s, u32 number)
{
	struct stack_entry *e = &s->entries.data[number];
	u32 *head = chains_head(&s->index, stack_key_hash(s, &e->key, e->merged));

	e->next = *head;
	*head = number + 1;
}

/* Makes space for `n` more, in everything that has one item per entry. */
static int reserve_entries(struct stack_store *s, size_t n)
{
	size_t want = s->entries.len + n;
	int fresh;

	if (want >= UINT32_MAX || vec_reserve(&s->entries, want) ||
	    vec_reserve(&s->worth, s->entries.cap) || vec_reserve(&s->moved, s->entries.cap) ||
	    (s->kind.live && vec_reserve(&s->live, s->entries.cap)) ||
	    (s->reading && vec_reserve(&s->reads, s->entries.cap)))
		return -ENOMEM;
	fresh = chains_reserve(&s->index, want);
	for (size_t i = 0; fresh == 1 && i < s->entries.len; i++)
		stack_entry_link(s, (u32)i);
	return fresh < 0 ? fresh : 0;
}

/* The space must have been reserved. */
static struct stack_entry *append(struct stack_store *s, const struct stack_entry *e)
{
	size_t number = s->entries.len++;

	s->entries.data[number] = *e;
	s->worth.data[number] = 0;
	s->worth.len = s->entries.len;
	if (s->kind.live) {
		s->live.data[number] = (struct stack_live){.live = {0}};
		s->live.len = s->entries.len;
	}
	if (s->reading) {
		s->reads.data[number] = (struct stack_read){.taken = {0}};
		s->reads.len = s->entries.len;
	}
	stack_entry_link(s, (u32)number);
	return &s->entries.data[number];
}

/* Returns NULL if the entry does not have this part. */
static struct sample_count *part_of(struct stack_store *s, struct stack_entry *e,
				    enum tally_part part)
{
	const size_t number = (size_t)(e - s->entries.data);

	switch (part) {
	case TALLY_COUNT:
		return &e->count;
	case TALLY_LIVE:
		return s->kind.live ? &s->live.data[number].live : NULL;
	case TALLY_PEAK:
		return s->kind.live ? &s->live.data[number].peak : NULL;
	case TALLY_ONGOING:
		return s->reading ? &s->reads.data[number].ongoing : NULL;
	case TALLY_TAKEN:
		return s->reading ? &s->reads.data[number].taken : NULL;
	}
	return NULL;
}

void stack_entry_add(struct stack_store *s, struct stack_entry *e, enum tally_part part,
		     const struct sample_count *n)
{
	struct sample_count *to = part_of(s, e, part);

	if (!to)
		return;
	if (part == TALLY_COUNT && !to->samples && !to->weight && (n->samples || n->weight)) {
		s->counted++;
		s->shown += !e->shared;
	}
	to->samples += n->samples;
	to->weight += n->weight;
}

struct stack_entry *stack_entry_merged(struct stack_store *s, u32 node, u32 waker, u32 owner,
				       const struct sample_key *labels)
{
	struct stack_entry fresh = {
		.key = *labels, .node = node, .waker = waker, .owner = owner, .merged = 1};
	struct stack_entry *e;

	fresh.key.stack = node;
	if (s->kind.chained)
		fresh.key.object = waker;
	e = stack_entry_find(s, &fresh.key, true);
	if (e || reserve_entries(s, 1))
		return e;
	return append(s, &fresh);
}

/* ---- wakers ---- */

static struct waker_stack *find_waker(struct stack_store *s, u64 hash)
{
	u32 at = chains_first(&s->waker_index, hash);

	for (; at; at = s->wakers.data[at - 1].next) {
		if (s->wakers.data[at - 1].hash == hash)
			return &s->wakers.data[at - 1];
	}
	return NULL;
}

void stack_waker_link(struct stack_store *s, u32 number)
{
	struct waker_stack *w = &s->wakers.data[number];
	u32 *head = chains_head(&s->waker_index, w->hash);

	w->next = *head;
	*head = number + 1;
}

/* Any stack may turn out to be a waker's. Without memory for it, waits show no waker. */
static void note_waker(struct stack_store *s, u64 hash, u32 node)
{
	struct waker_stack *w = find_waker(s, hash);
	int fresh;

	if (!w) {
		if (vec_reserve(&s->wakers, s->wakers.len + 1))
			return;
		fresh = chains_reserve(&s->waker_index, s->wakers.len + 1);
		for (size_t i = 0; fresh == 1 && i < s->wakers.len; i++)
			stack_waker_link(s, (u32)i);
		if (fresh < 0)
			return;
		w = &s->wakers.data[s->wakers.len++];
		w->hash = hash;
		stack_waker_link(s, (u32)s->wakers.len - 1);
	}
	w->node = node;
	w->epoch = (u8)s->epoch;
}

static u32 waker_of(struct stack_store *s, const struct sample_key *key)
{
	const struct waker_stack *w = s->kind.chained && key->object ? find_waker(s, key->object)
								     : NULL;

	return w ? w->node : TREE_ROOT;
}

/* ---- adding stacks ---- */

struct stack_store_size stack_store_size(const struct stack_store *s)
{
	const size_t depth = s->stacks ? s->frames / s->stacks : 0;
	const size_t entry = sizeof(struct stack_entry) + sizeof(float) + sizeof(u32) +
			     (s->kind.live ? sizeof(struct stack_live) : 0) +
			     (s->reading ? sizeof(struct stack_read) : 0);

	return (struct stack_store_size){
		.held = stack_tree_bytes(&s->tree) + owner_table_bytes(&s->owners) +
			place_table_bytes(&s->places) + s->entries.len * entry +
			s->aliases.len * sizeof(struct stack_alias) +
			s->wakers.len * sizeof(struct waker_stack) +
			(s->index.count + s->alias_index.count + s->waker_index.count) *
				sizeof(u32),
		.planned = s->counted * s->sample_bytes + s->shown * depth * sizeof(u32) +
			   stack_tree_distinct(&s->tree) * LOCATION_BYTES,
	};
}

void stack_store_limit(struct stack_store *s, size_t bytes)
{
	s->limit = bytes;
}

static size_t bytes_of(const struct stack_store *s)
{
	struct stack_store_size size = stack_store_size(s);

	return size.held + size.planned;
}

/* If the limit has come down, nothing is refused before merging has been tried again. */
static bool is_full(const struct stack_store *s)
{
	size_t bytes = bytes_of(s);

	return s->limit && bytes > s->limit && bytes > s->merged_size + s->limit / 8;
}

bool stack_store_is_tight(const struct stack_store *s)
{
	size_t bytes = bytes_of(s);

	if (s->starved)
		return bytes > s->merged_size + s->merged_size / 8;
	return s->limit && bytes > s->limit / 8 * 7 && bytes > s->merged_size + s->limit / 16;
}

/* What no label distinguishes need not be distinguished here. */
static struct thread_id known_owner(const struct stack_store *s, const struct sample_key *key,
				    const struct thread_id *owner)
{
	struct thread_id o = {.tid = {0}};

	if (s->by_process || key->tgid.nr)
		o.tgid = owner->tgid;
	if (s->by_process)
		snprintf(o.leader_comm, COMM_LEN, "%.*s", COMM_LEN - 1, owner->leader_comm);
	if (s->by_thread) {
		o.tid = owner->tid;
		snprintf(o.comm, COMM_LEN, "%.*s", COMM_LEN - 1, owner->comm);
	}
	return o;
}

static struct proc_pid process_of(const struct thread_id *owner, const u64 *frames, u32 nframes)
{
	for (u32 i = 0; i < nframes; i++) {
		if (FRAME_MODULE(frames[i]) == MODULE_ANON)
			return owner->tgid;
	}
	return (struct proc_pid){0};
}

/* A process is looked up once, with the first stack of it. */
static int put_owner(struct stack_store *s, const struct thread_id *known,
		     const struct thread_id *thread, u32 *number)
{
	size_t before = s->owners.items.len;
	int err = owner_table_put(&s->owners, known, number);
	struct owner_item *item;

	if (err || !s->by_place || s->owners.items.len == before)
		return err;
	item = &s->owners.items.data[*number];
	item->place = place_table_of(&s->places, thread, &item->group);
	return 0;
}

static int take_in(struct stack_store *s, const struct sample_key *key,
		   const struct thread_id *owner, const u64 *frames, u32 nframes)
{
	const struct thread_id known = known_owner(s, key, owner);
	struct stack_entry e = {.key = *key, .epoch = s->epoch};
	u32 number;

	if (is_full(s))
		return -ENOMEM;
	if (reserve_entries(s, 1 + SPARE_ENTRIES) || put_owner(s, &known, owner, &number) ||
	    stack_tree_put(&s->tree, process_of(owner, frames, nframes), frames, nframes,
			   &e.node)) {
		s->starved = true;
		return -ENOMEM;
	}
	e.owner = number;
	append(s, &e);
	if (s->kind.chained)
		note_waker(s, key->stack, e.node);
	s->stacks++;
	s->frames += nframes;
	return 0;
}

void stack_store_put(struct stack_store *s, const struct sample_key *key,
		     const struct thread_id *owner, const u64 *frames, u32 nframes)
{
	struct stack_entry *e = stack_entry_find(s, key, false);

	if (!e) {
		s->merged.stacks += take_in(s, key, owner, frames, nframes) != 0;
		return;
	}
	e->epoch = s->epoch;
	if (s->kind.chained)
		note_waker(s, key->stack, e->node);
}

bool stack_store_knows(const struct stack_store *s, const struct sample_key *key)
{
	return stack_entry_find(s, key, false);
}

/* ---- adding counts ---- */

struct sample_key stack_key_base(const struct sample_key *key)
{
	struct sample_key base = *key;

	base.object = 0;
	base.cause = base.outcome = 0;
	return base;
}

/* Creates the entry for a key that shares its frames with an earlier one; NULL if there is none. */
static struct stack_entry *entry_derive(struct stack_store *s, const struct sample_key *key)
{
	const struct sample_key base = stack_key_base(key);
	struct stack_entry *from = stack_entry_find(s, &base, false), e;

	if (!from)
		return NULL;
	e = *from;
	from->shared = 1; /* from now on */
	e.key = *key;
	e.count = (struct sample_count){0};
	e.waker = waker_of(s, key);
	/* This ignores the limit, because no more come at once than the kernel's maps hold. */
	if (!reserve_entries(s, 1 + SPARE_ENTRIES))
		return append(s, &e);
	s->starved = true;
	s->merged.stacks++;
	return NULL;
}

struct stack_alias *stack_alias_find(struct stack_store *s, const struct sample_key *key)
{
	u64 hash = stack_key_hash(s, key, false);
	u32 at = chains_first(&s->alias_index, hash);

	for (; at; at = s->aliases.data[at - 1].next) {
		if (s->aliases.data[at - 1].hash == hash)
			return &s->aliases.data[at - 1];
	}
	return NULL;
}

void stack_key_forget_object(const struct stack_store *s, struct sample_key *key,
			     struct sample_count *n)
{
	if (s->kind.forget_object)
		s->kind.forget_object(s->kind.arg, key, n);
	key->object = 0;
}

/* Finds where a key was merged to, or where everything goes for which there was no memory. `key`
 * and `n` become what counts there. */
static struct stack_entry *entry_instead(struct stack_store *s, struct sample_key *key,
					 struct sample_count *n)
{
	const struct sample_key base = stack_key_base(key);
	const struct stack_alias *a = stack_alias_find(s, key);
	struct sample_key labels = {.stack = 0};
	u32 node = s->overflow, owner = OWNER_NONE;

	if (!a)
		a = stack_alias_find(s, &base);
	if (a) {
		const struct stack_entry *e = &s->entries.data[a->entry];

		labels = e->key;
		node = e->node;
		owner = e->owner;
	}
	if (s->kind.chained)
		labels.object = key->object = 0;
	else if (labels.object != key->object)
		stack_key_forget_object(s, key, n);
	labels.object = key->object;
	labels.cause = key->cause;
	labels.outcome = key->outcome;
	return stack_entry_merged(s, node, TREE_ROOT, owner, &labels);
}

int stack_store_add(struct stack_store *s, const struct sample_key *key, enum tally_part part,
		    const struct sample_count *n)
{
	struct stack_entry *e = stack_entry_find(s, key, false);
	struct sample_key as = *key;
	struct sample_count count = *n;

	if (!e)
		e = entry_derive(s, key);
	if (!e && (s->merged.stacks || s->aliases.len))
		e = entry_instead(s, &as, &count);
	if (!e)
		return -ENOENT;
	stack_entry_add(s, e, part, &count);
	return 0;
}

void stack_store_forget_live(struct stack_store *s)
{
	vec_for_each(&s->live, l)
		l->live = (struct sample_count){0};
}

void stack_store_live_is_peak(struct stack_store *s)
{
	vec_for_each(&s->live, l)
		l->peak = l->live;
}

void stack_store_scale(struct stack_store *s, u16 cause, u64 total)
{
	s->scale.on = true;
	s->scale.cause = cause;
	s->scale.total = total;
}

void stack_store_mark(const struct stack_store *s, struct module_marks *m)
{
	vec_for_each(&s->tree.nodes, node)
		module_mark(m, FRAME_MODULE(node->frame));
}

/* ---- creation and end ---- */

/* This is for its values, its labels, and its place in two tables (profile.h). */
static u32 sample_bytes(const struct collect_options *opt, const struct stack_kind *kind)
{
	u32 labels = 2 + 2 * opt->by_process + 2 * opt->by_thread + opt->by_cpu + 2 * opt->by_place;
	u32 values = kind && kind->live ? SAMPLE_VALUES_MAX : 2;

	return (u32)(sizeof(struct profile_sample) + values * sizeof(s64) +
		     labels * sizeof(struct profile_label) + 2 * sizeof(u64));
}

int stack_store_new(const struct collect_options *opt, const struct stack_kind *kind,
		    struct stack_store **out)
{
	struct stack_store *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->by_process = opt->by_process;
	s->by_thread = opt->by_thread;
	s->by_place = opt->by_place;
	if (kind)
		s->kind = *kind;
	s->sample_bytes = sample_bytes(opt, kind);
	err = stack_tree_init(&s->tree);
	if (!err)
		err = owner_table_init(&s->owners);
	if (!err)
		err = stack_worth_reserve(s);
	if (!err)
		err = reserve_entries(s, SPARE_ENTRIES);
	if (!err)
		err = stack_tree_reserve(&s->tree, 2);
	if (err) {
		stack_store_free(s);
		return err;
	}
	s->overflow = stack_tree_child(&s->tree, TREE_ROOT, FRAME(MODULE_MERGED, MERGED_STACKS));
	s->nowhere = stack_tree_child(&s->tree, TREE_ROOT, FRAME(MODULE_MERGED, MERGED_NOWHERE));
	*out = s;
	return 0;
}

void stack_store_clear(struct stack_store *s)
{
	stack_tree_release(&s->tree);
	owner_table_release(&s->owners);
	place_table_release(&s->places);
	vec_release(&s->entries);
	vec_release(&s->live);
	vec_release(&s->reads);
	s->reading = false;
	vec_release(&s->worth);
	vec_release(&s->moved);
	vec_release(&s->aliases);
	vec_release(&s->wakers);
	chains_release(&s->index);
	chains_release(&s->alias_index);
	chains_release(&s->waker_index);
}

void stack_store_free(struct stack_store *s)
{
	if (!s)
		return;
	stack_store_clear(s);
	free(s->label_worth);
	free(s);
}
