/* SPDX-License-Identifier: Apache-2.0 */
/* Makes profiles of addresses: see address_samples.h. */
#include "format/address_samples.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/memory_map.h"
#include "format/text_scan.h"

#define STACK_MAX 65536u
#define SAMPLES_MAX (16u << 20)
#define ADDRESSES_MAX (64u << 20) /* a line of text has one for two bytes */
#define NAMES_MAX (16u << 20)

#define no_memory(a) address_samples_no_memory(a)

int address_samples_init(struct address_samples *a, struct error *err)
{
	int ret;

	*a = (struct address_samples){.err = err};
	ret = profile_new(&a->p);
	return ret ? error_set(err, ret, "%s", error_reason(ret)) : 0;
}

int address_samples_take(struct address_samples *a, int ret, struct profile **out)
{
	vec_release(&a->addresses);
	vec_release(&a->list);
	vec_release(&a->labels);
	vec_release(&a->names);
	vec_release(&a->mapping_of);
	maps_release(&a->maps);
	if (ret)
		profile_free(a->p);
	else
		*out = a->p;
	return ret;
}

int address_samples_read(struct bytes data,
			 int (*read)(struct address_samples *a, struct cursor *text),
			 struct profile **out, struct error *err)
{
	struct cursor text = cursor_over(data);
	struct address_samples a;
	int ret = address_samples_init(&a, err);

	return ret ? ret : address_samples_take(&a, read(&a, &text), out);
}

/* ---- samples --------------------------------------------------------------------------------- */

int address_samples_push_address(struct address_samples *a, u64 address)
{
	if (a->addresses.len >= ADDRESSES_MAX)
		return error_set(a->err, -EFBIG, "it holds more addresses than a profile would");
	return vec_push(&a->addresses, address) ? no_memory(a) : 0;
}

int address_samples_scan(struct address_samples *a, struct cursor *line, u64 less)
{
	u64 address;
	int ret = 0;

	while (!ret && scan_hex(line, &address))
		ret = address_samples_push_address(a, address - less);
	return ret;
}

int address_samples_push(struct address_samples *a, struct address_sample s)
{
	if (a->addresses.len - s.first > STACK_MAX)
		a->addresses.len = s.first + STACK_MAX;
	s.n = (u32)(a->addresses.len - s.first);
	s.first_label = (u32)a->labels.len;
	if (a->list.len >= SAMPLES_MAX)
		return error_set(a->err, -EFBIG, "it holds more samples than a profile would");
	return vec_push(&a->list, s) ? no_memory(a) : 0;
}

int address_samples_label(struct address_samples *a, const char *key, const char *text)
{
	s64 key_id = profile_string(a->p, key), text_id = profile_string(a->p, text);
	struct profile_label label = {0};

	if (!a->list.len)
		return 0;
	if (key_id < 0 || text_id < 0)
		return no_memory(a);
	label.key = (string_id)key_id;
	label.str = (string_id)text_id;
	a->list.data[a->list.len - 1].nlabels++;
	return vec_push(&a->labels, label) ? no_memory(a) : 0;
}

/* ---- names ----------------------------------------------------------------------------------- */

int address_samples_name(struct address_samples *a, u64 address, const char *function,
			 const char *file, s64 line)
{
	s64 id = a->names.len < NAMES_MAX ? profile_function(a->p, function, function, file, 0)
					  : -E2BIG;
	struct address_name name = {.address = address, .order = a->names.len};

	if (id == -E2BIG)
		return error_set(a->err, -EFBIG, "it holds more names than a profile would");
	if (id < 0)
		return no_memory(a);
	name.sample = a->list.len;
	name.line = (struct profile_line){.function = (u32)id, .line = line};
	return vec_push(&a->names, name) ? no_memory(a) : 0;
}

void address_samples_end_names(struct address_samples *a, size_t first_name)
{
	struct address_sample *s = a->list.len ? &a->list.data[a->list.len - 1] : NULL;
	size_t name = first_name, kept = first_name;
	u32 first = UINT32_MAX, last = 0;

	if (!s || a->names.len == first_name)
		return;
	for (u32 i = 0; i < s->n && name < a->names.len;) {
		u64 address = a->addresses.data[s->first + i];
		size_t calls = 1, lines = 0;

		while (++i < s->n && a->addresses.data[s->first + i] == address)
			calls++;
		while (name + lines < a->names.len &&
		       a->names.data[name + lines].address == address)
			lines++;
		if (!lines)
			continue;
		first = first == UINT32_MAX ? i - (u32)calls : first;
		last = i;
		/* A function that calls itself has an address, and its names, several times. */
		for (size_t k = 0; k < (lines % calls ? lines : lines / calls); k++)
			a->names.data[kept++] = a->names.data[name + k];
		name += lines;
	}
	if (name == a->names.len && last) {
		s->first += first;
		s->n = last - first;
	}
	a->names.len = kept;
}

static int name_compare(const void *left, const void *right)
{
	const struct address_name *a = left, *b = right;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	if (a->sample != b->sample)
		return a->sample < b->sample ? -1 : 1;
	return (a->order > b->order) - (a->order < b->order);
}

/* Returns the first name at or after the address. */
static size_t name_at(const struct address_samples *a, u64 address)
{
	size_t low = 0, high = a->names.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (a->names.data[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int set_lines(struct address_samples *a, u32 location, u64 address)
{
	VEC(struct profile_line) lines = {0};
	size_t first = name_at(a, address);
	int ret = 0;

	for (size_t i = first; i < a->names.len && !ret; i++) {
		if (a->names.data[i].address != address ||
		    a->names.data[i].sample != a->names.data[first].sample)
			break;
		/* A function that calls itself is not inlined into itself. */
		if (i == first ||
		    a->names.data[i].line.function != a->names.data[i - 1].line.function)
			ret = vec_push(&lines, a->names.data[i].line);
	}
	if (!ret && lines.len)
		ret = profile_location_set_lines(a->p, location, lines.data, (u32)lines.len);
	vec_release(&lines);
	return ret ? no_memory(a) : 0;
}

/* ---- into a profile -------------------------------------------------------------------------- */

static const struct map_entry *map_at(const struct address_samples *a, u64 address)
{
	size_t low = 0, high = a->maps.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct map_entry *e = &a->maps.data[middle];

		if (address >= e->start && address < e->end)
			return e->executable ? e : NULL;
		if (address < e->start)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static int mapping_of(struct address_samples *a, u64 address, u32 *mapping)
{
	const struct map_entry *e = map_at(a, address);
	u32 *known = e ? &a->mapping_of.data[e - a->maps.data] : &a->nowhere;
	struct profile_mapping m = {0};
	s64 id;

	if (e && !*known) {
		id = profile_string(a->p, e->path);
		if (id < 0)
			return no_memory(a);
		m = (struct profile_mapping){.start = e->start,
					     .limit = e->end,
					     .offset = e->offset,
					     .path = (string_id)id};
	}
	if (!*known) {
		id = profile_add_mapping(a->p, &m);
		if (id < 0)
			return no_memory(a);
		*known = (u32)id + 1;
	}
	*mapping = *known - 1;
	return 0;
}

static int location_of(struct address_samples *a, u64 address, u32 *location)
{
	size_t before = a->p->locations.len;
	u32 mapping = 0;
	int ret = mapping_of(a, address, &mapping);
	s64 id;

	if (ret)
		return ret;
	id = profile_location(a->p, mapping, address);
	if (id < 0)
		return no_memory(a);
	*location = (u32)id;
	return a->p->locations.len > before ? set_lines(a, *location, address) : 0;
}

static int add_sample(struct address_samples *a, const struct address_sample *s, string_id bytes)
{
	struct profile_label label = {.key = bytes, .num = s->block, .num_unit = bytes};
	const struct profile_label *labels = s->block     ? &label
					     : s->nlabels ? a->labels.data + s->first_label
							  : NULL;
	u32 *stack = malloc((s->n + 1) * sizeof(*stack));
	int ret = stack ? 0 : no_memory(a);

	for (u32 i = 0; i < s->n && !ret; i++)
		ret = location_of(a, a->addresses.data[s->first + i], &stack[i]);
	if (!ret &&
	    profile_add_sample(a->p, stack, s->n, s->values, labels, s->block ? 1 : s->nlabels))
		ret = no_memory(a);
	free(stack);
	return ret;
}

int address_samples_finish(struct address_samples *a, struct bytes map, const char *drop)
{
	s64 bytes = profile_string(a->p, "bytes"), drop_id = profile_string(a->p, drop);
	int ret = memory_map_parse(map, &a->maps);

	if (ret || bytes < 0 || drop_id < 0 || vec_reserve(&a->mapping_of, a->maps.len + 1))
		return no_memory(a);
	memset(a->mapping_of.data, 0, (a->maps.len + 1) * sizeof(u32));
	if (a->names.len)
		qsort(a->names.data, a->names.len, sizeof(*a->names.data), name_compare);
	a->p->drop_frames = (string_id)drop_id;
	vec_for_each(&a->list, s) {
		if (!ret)
			ret = add_sample(a, s, (string_id)bytes);
	}
	return ret;
}
