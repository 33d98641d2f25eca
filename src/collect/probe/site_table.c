/* SPDX-License-Identifier: Apache-2.0 */
/* Gives numbers to places for probes: see site_table.h. */
#include "collect/probe/site_table.h"

#include <bpf/bpf.h>
#include <errno.h>

static u64 bit(u32 number)
{
	return 1ull << number % 64;
}

static bool is_taken(const struct site_table *t, u32 number)
{
	return t->taken[number / 64] & bit(number);
}

int site_table_put(struct site_table *t, struct heap_site *site)
{
	u32 number = t->next;

	if (t->used >= t->size)
		return -ENOSPC;
	while (is_taken(t, number))
		number = (number + 1) % t->size;
	site->number = number;
	if (t->fd >= 0 && bpf_map_update_elem(t->fd, &number, site, BPF_ANY))
		return -errno;
	t->taken[number / 64] |= bit(number);
	t->used++;
	t->next = (number + 1) % t->size;
	return 0;
}

void site_table_give_back(struct site_table *t, u32 number)
{
	if (number >= t->size || !is_taken(t, number))
		return;
	t->taken[number / 64] &= ~bit(number);
	t->used--;
}

void site_table_give_back_all(struct site_table *t, const uprobe_places *places)
{
	vec_for_each(places, place)
		site_table_give_back(t, (u32)place->cookie);
}
