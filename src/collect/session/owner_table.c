/* SPDX-License-Identifier: Apache-2.0 */
/* Stores the threads that stacks belong to: see owner_table.h. */
#include "collect/session/owner_table.h"

#include "profile/id_table.h"

static void link_item(struct owner_table *t, u32 number)
{
	struct owner_item *o = &t->items.data[number];
	u32 *head = chains_head(&t->index, hash_bytes(0, &o->owner, sizeof(o->owner)));

	o->next = *head;
	*head = number + 1;
}

int owner_table_init(struct owner_table *t)
{
	u32 none;

	*t = (struct owner_table){.index = {0}};
	return owner_table_put(t, &(struct thread_id){0}, &none);
}

void owner_table_release(struct owner_table *t)
{
	vec_release(&t->items);
	chains_release(&t->index);
}

size_t owner_table_bytes(const struct owner_table *t)
{
	return t->items.len * sizeof(struct owner_item) + t->index.count * sizeof(u32);
}

static int reserve(struct owner_table *t)
{
	size_t want = t->items.len + 1;
	int fresh;

	if (want > OWNERS_MAX || vec_reserve(&t->items, want))
		return -ENOMEM;
	fresh = chains_reserve(&t->index, want);
	for (size_t i = 0; fresh == 1 && i < t->items.len; i++)
		link_item(t, (u32)i);
	return fresh < 0 ? fresh : 0;
}

int owner_table_put(struct owner_table *t, const struct thread_id *owner, u32 *number)
{
	u32 at = chains_first(&t->index, hash_bytes(0, owner, sizeof(*owner)));

	for (; at; at = t->items.data[at - 1].next) {
		if (memcmp(&t->items.data[at - 1].owner, owner, sizeof(*owner)) != 0)
			continue;
		*number = at - 1;
		return 0;
	}
	if (reserve(t))
		return -ENOMEM;
	t->items.data[t->items.len++] = (struct owner_item){.owner = *owner};
	*number = (u32)t->items.len - 1;
	link_item(t, *number);
	return 0;
}

const struct thread_id *owner_table_get(const struct owner_table *t, u32 number)
{
	return &t->items.data[number].owner;
}

/* ---- dropping ---- */

void owner_table_begin(struct owner_table *t)
{
	vec_for_each(&t->items, o)
		o->moved = 0;
	owner_table_mark(t, OWNER_NONE);
}

void owner_table_mark(struct owner_table *t, u32 number)
{
	t->items.data[number].moved = 1;
}

void owner_table_renumber(struct owner_table *t)
{
	u32 kept = 0;

	vec_for_each(&t->items, o) {
		if (o->moved)
			o->moved = ++kept;
	}
}

u32 owner_table_moved(const struct owner_table *t, u32 number)
{
	return t->items.data[number].moved - 1;
}

void owner_table_end(struct owner_table *t)
{
	size_t kept = 0;

	vec_for_each(&t->items, o) {
		if (o->moved)
			t->items.data[kept++] = *o;
	}
	t->items.len = kept;
	vec_shrink(&t->items, kept);
	chains_shrink(&t->index, kept);
	for (size_t i = 0; i < kept; i++)
		link_item(t, (u32)i);
}
