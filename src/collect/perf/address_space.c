/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps mappings sorted: see address_space.h. */
#include "collect/perf/address_space.h"

#include <string.h>

#include "base/sorted.h"

void address_space_release(struct address_space *s)
{
	vec_release(&s->maps);
}

/* Returns the index of the first mapping that ends after `addr`. */
static size_t first_behind(const struct address_space *s, u64 addr)
{
	return sorted_behind_by(s->maps.data, s->maps.len, end, addr);
}

const struct space_map *address_space_find(const struct address_space *s, u64 addr)
{
	size_t i = first_behind(s, addr);

	return i < s->maps.len && s->maps.data[i].start <= addr ? &s->maps.data[i] : NULL;
}

/* Replaces items [from, to) by `n` items, for which there is space. */
static void splice(struct address_space *s, size_t from, size_t to, const struct space_map *items,
		   size_t n)
{
	memmove(s->maps.data + from + n, s->maps.data + to,
		(s->maps.len - to) * sizeof(*s->maps.data));
	memcpy(s->maps.data + from, items, n * sizeof(*items));
	s->maps.len = s->maps.len - (to - from) + n;
}

int address_space_add(struct address_space *s, const struct space_map *map)
{
	struct space_map items[3];
	size_t n = 0, from, to;

	if (map->start >= map->end)
		return 0;
	if (vec_reserve(&s->maps, s->maps.len + 2))
		return -ENOMEM;
	from = to = first_behind(s, map->start);
	while (to < s->maps.len && s->maps.data[to].start < map->end)
		to++;
	if (to > from && s->maps.data[from].start < map->start) {
		items[n] = s->maps.data[from];
		items[n++].end = map->start;
	}
	items[n++] = *map;
	if (to > from && s->maps.data[to - 1].end > map->end) {
		items[n] = s->maps.data[to - 1];
		items[n++].start = map->end;
	}
	splice(s, from, to, items, n);
	return 0;
}

int address_space_copy(struct address_space *dst, const struct address_space *src)
{
	dst->maps.len = 0;
	if (vec_reserve(&dst->maps, src->maps.len))
		return -ENOMEM;
	if (src->maps.len)
		memcpy(dst->maps.data, src->maps.data, src->maps.len * sizeof(*src->maps.data));
	dst->maps.len = src->maps.len;
	return 0;
}
