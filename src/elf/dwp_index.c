/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the index of a DWARF package file: see dwp_index.h. */
#include "elf/dwp_index.h"

#include <errno.h>

#define VERSION_GNU 2
#define VERSION_5 5
#define COLUMNS_MAX 16u

static struct bytes table(struct cursor *c, u64 items, u64 size)
{
	const u8 *at = cursor_take(c, items * size);

	return (struct bytes){at, at ? items * size : 0};
}

int dwp_index_init(struct dwp_index *index, struct bytes section)
{
	struct cursor c = cursor_over(section);
	u32 version = cursor_u32(&c); /* in version 5 two bytes of it are padding */

	*index = (struct dwp_index){0};
	index->ncolumns = cursor_u32(&c);
	index->nunits = cursor_u32(&c);
	index->nslots = cursor_u32(&c);
	if (c.bad || ((version & 0xffff) != VERSION_5 && version != VERSION_GNU) ||
	    !index->ncolumns || index->ncolumns > COLUMNS_MAX ||
	    (index->nslots & (index->nslots - 1)))
		return -EBADMSG;
	index->ids = table(&c, index->nslots, sizeof(u64));
	index->rows = table(&c, index->nslots, sizeof(u32));
	index->columns = table(&c, index->ncolumns, sizeof(u32));
	index->offsets = table(&c, (u64)index->nunits * index->ncolumns, sizeof(u32));
	index->sizes = table(&c, (u64)index->nunits * index->ncolumns, sizeof(u32));
	return c.bad ? -EBADMSG : 0;
}

static u32 word(struct bytes words, u64 number)
{
	u32 value;

	memcpy(&value, words.data + number * sizeof(value), sizeof(value));
	return value;
}

/* Returns the number of the part in a column, or DWP_PARTS for one that is not used here. The
 * numbers are the same in both versions. */
static enum dwp_part part_of(u32 column)
{
	static const u8 columns[DWP_PARTS] = {
		[DWP_INFO] = 1, [DWP_ABBREV] = 3, [DWP_STR_OFFSETS] = 6, [DWP_RNGLISTS] = 8};

	for (u32 part = 0; part < DWP_PARTS; part++) {
		if (columns[part] == column)
			return (enum dwp_part)part;
	}
	return DWP_PARTS;
}

static void read_row(const struct dwp_index *index, u32 row, struct dwp_unit *out)
{
	*out = (struct dwp_unit){0};
	for (u32 i = 0; i < index->ncolumns; i++) {
		enum dwp_part part = part_of(word(index->columns, i));
		u64 cell = (u64)row * index->ncolumns + i;

		if (part == DWP_PARTS)
			continue;
		out->parts[part].offset = word(index->offsets, cell);
		out->parts[part].size = word(index->sizes, cell);
	}
}

bool dwp_index_find(const struct dwp_index *index, u64 id, struct dwp_unit *out)
{
	u64 mask = (u64)index->nslots - 1, slot = id & mask, step = ((id >> 32) & mask) | 1;

	for (u32 tried = 0; tried < index->nslots; tried++, slot = (slot + step) & mask) {
		u32 row = word(index->rows, slot);
		u64 have;

		memcpy(&have, index->ids.data + slot * sizeof(have), sizeof(have));
		if (!row) /* an empty slot ends the search */
			return false;
		if (have != id)
			continue;
		if (row > index->nunits)
			return false;
		read_row(index, row - 1, out);
		return true;
	}
	return false;
}

struct bytes dwp_unit_part(const struct dwp_unit *unit, enum dwp_part part, struct bytes section)
{
	u64 offset = unit->parts[part].offset, size = unit->parts[part].size;

	if (!section.len || offset > section.len || size > section.len - offset)
		return (struct bytes){0};
	return (struct bytes){section.data + offset, size};
}
