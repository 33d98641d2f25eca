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
	*t = (struct place_table){0};
}

size_t place_table_bytes(const struct place_table *t)
{
	return t->bytes + t->items.len * sizeof(struct place) +
	       t->index.cap * sizeof(struct id_slot);
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

u32 place_table_of(struct place_table *t, pid_t tgid)
{
	struct process_place place;
	int err = tgid > 0 ? place_read(tgid, &place) : 0;

	t->gone += err == -ESRCH;
	return tgid > 0 && !err ? place_table_put(t, &place) : PLACE_NONE;
}

const struct place *place_table_get(const struct place_table *t, u32 number)
{
	return number ? &t->items.data[number - 1] : NULL;
}
