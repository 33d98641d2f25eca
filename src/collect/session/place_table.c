/* SPDX-License-Identifier: Apache-2.0 */
/* Stores where processes run: see place_table.h. */
#include "collect/session/place_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void place_table_release(struct place_table *t)
{
	vec_for_each(&t->items, p) {
		free(p->container);
		free(p->unit);
	}
	vec_release(&t->items);
	id_table_release(&t->index);
	vec_release(&t->groups);
	id_table_release(&t->by_groups);
	*t = (struct place_table){0};
}

size_t place_table_bytes(const struct place_table *t)
{
	return t->bytes + t->items.len * sizeof(struct place) +
	       t->groups.len * sizeof(struct place_group) +
	       (t->index.cap + t->by_groups.cap) * sizeof(struct id_slot);
}

struct wanted_place {
	const struct place_table *t;
	const struct process_place *place;
};

static bool same_place(const void *arg, u32 id)
{
	const struct wanted_place *w = arg;
	const struct place *p = &w->t->items.data[id];

	return !strcmp(p->container, w->place->container) && !strcmp(p->unit, w->place->unit);
}

static u32 add(struct place_table *t, const struct process_place *from, u32 hash)
{
	struct place p = {strdup(from->container), strdup(from->unit)};

	if (!p.container || !p.unit || t->items.len == PLACES_MAX || id_table_reserve(&t->index) ||
	    vec_push(&t->items, p)) {
		free(p.container);
		free(p.unit);
		return PLACE_NONE;
	}
	t->bytes += strlen(p.container) + strlen(p.unit) + 2;
	id_table_add(&t->index, hash, (u32)t->items.len - 1);
	return (u32)t->items.len;
}

u32 place_table_put(struct place_table *t, const struct process_place *place)
{
	struct wanted_place w = {t, place};
	u64 hash = hash_keyed(0, place->container, strlen(place->container));
	s64 id;

	if (!place->container[0] && !place->unit[0])
		return PLACE_NONE;
	hash = hash_keyed(hash, place->unit, strlen(place->unit));
	id = id_table_find(&t->index, hash_fold(hash), same_place, &w);
	return id >= 0 ? (u32)id + 1 : add(t, place, hash_fold(hash));
}

/* ---- sets of control groups ------------------------------------------------------------------ */

struct wanted_groups {
	const struct place_table *t;
	const struct thread_id *thread;
};

static bool same_groups(const void *arg, u32 id)
{
	const struct wanted_groups *w = arg;
	const struct place_group *g = &w->t->groups.data[id];

	return g->groups == w->thread->groups && g->unified_group == w->thread->unified_group;
}

static u32 groups_hash(const struct thread_id *thread)
{
	const u64 key[] = {thread->groups, thread->unified_group};

	return hash_fold(hash_keyed(0, key, sizeof(key)));
}

/* Returns the number of a set, which is created if necessary; PLACE_NONE without memory. */
static u32 group_of(struct place_table *t, const struct thread_id *thread)
{
	const struct place_group fresh = {thread->groups, thread->unified_group, PLACE_NONE};
	struct wanted_groups w = {t, thread};
	u32 hash = groups_hash(thread);
	s64 id = thread->groups ? id_table_find(&t->by_groups, hash, same_groups, &w) : -1;

	if (id >= 0)
		return (u32)id + 1;
	if (!thread->groups || t->groups.len == PLACES_MAX || id_table_reserve(&t->by_groups) ||
	    vec_push(&t->groups, fresh))
		return PLACE_NONE;
	id_table_add(&t->by_groups, hash, (u32)t->groups.len - 1);
	return (u32)t->groups.len;
}

u32 place_table_of(struct place_table *t, const struct thread_id *thread, u32 *group)
{
	struct process_place place;
	int err = thread->tgid.nr ? place_read((pid_t)thread->tgid.nr, &place) : -ESRCH;
	bool gone = err;
	u32 number;

	*group = group_of(t, thread);
	if (gone && *group && t->groups.data[*group - 1].place)
		return t->groups.data[*group - 1].place;
	if (gone && thread->unified_group)
		err = place_of_group(thread->unified_group, &place);
	number = err ? PLACE_NONE : place_table_put(t, &place);
	/* The kernel may use the same memory for another set, so the last one counts. Of a process
	 * that is about to end, version 1 says that it is in the root. */
	if (*group && number)
		t->groups.data[*group - 1].place = number;
	return number;
}

const struct place *place_table_get(const struct place_table *t, u32 place, u32 group)
{
	if (!place && group)
		place = t->groups.data[group - 1].place;
	return place ? &t->items.data[place - 1] : NULL;
}
