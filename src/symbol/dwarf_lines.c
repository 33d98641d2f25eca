/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps line tables by their position in the file: see dwarf_lines.h. */
#include "symbol/dwarf_lines.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "symbol/dwarf_forms.h"

struct table_key {
	u64 offset; /* in .debug_line */
	u64 alt; /* 1 if in the supplementary file */
};

struct known_table {
	struct table_key key;
	struct line_table *table; /* NULL if it is broken */
	UT_hash_handle hh;
};

struct dwarf_lines {
	const struct dwarf_file *file;
	const struct split_units *splits;
	struct known_table *known;
};

int dwarf_lines_new(const struct dwarf_file *file, const struct split_units *splits,
		    struct dwarf_lines **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->file = file;
	(*out)->splits = splits;
	return 0;
}

void dwarf_lines_free(struct dwarf_lines *l)
{
	struct known_table *k, *next;

	if (!l)
		return;
	HASH_ITER(hh, l->known, k, next) {
		HASH_DEL(l->known, k);
		line_table_free(k->table);
		free(k);
	}
	free(l);
}

static struct line_table *table_at(struct dwarf_lines *l, struct table_key key)
{
	const struct dwarf_file *file = l->file;
	struct known_table *k;

	HASH_FIND(hh, l->known, &key, sizeof(key), k);
	if (k)
		return k->table;
	k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	k->key = key;
	HASH_ADD(hh, l->known, key, sizeof(k->key), k);
	if (!HASH_ADDED(k)) {
		free(k);
		return NULL;
	}
	if (line_table_new(key.alt ? &file->alt_lines : &file->lines, key.offset, file->budget,
			   &k->table))
		k->table = NULL;
	return k->table;
}

struct line_table *dwarf_lines_of(struct dwarf_lines *l, Dwarf_Die *unit)
{
	const struct split_unit *split = split_unit_of(l->splits, unit->cu);
	struct table_key key = {0};
	Dwarf_Attribute attr;
	Dwarf_Word offset;
	Dwarf_Die skeleton;

	if (split) {
		skeleton = split->skeleton;
		unit = &skeleton;
	}
	key.alt = dwarf_cu_getdwarf(unit->cu) != l->file->dwarf;
	if (dwarf_formudata(dwarf_attr(unit, DW_AT_stmt_list, &attr), &offset))
		return NULL;
	key.offset = offset;
	return table_at(l, key);
}

const char *dwarf_lines_file(struct dwarf_lines *l, Dwarf_Die *die, unsigned int name)
{
	struct line_table *table;
	Dwarf_Attribute attr;
	Dwarf_Word number;
	Dwarf_Die unit;

	/* Numbers refer to the unit in which the attribute was found. */
	if (!dwarf_forms_attr(l->splits, die, name, &attr) || dwarf_formudata(&attr, &number) ||
	    !dwarf_cu_die(attr.cu, &unit, NULL, NULL, NULL, NULL, NULL, NULL))
		return NULL;
	table = dwarf_lines_of(l, &unit);
	return table ? line_table_file(table, number) : NULL;
}
