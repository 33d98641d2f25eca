/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the functions, inlined functions and lines of a sorted batch of addresses in DWARF. */
#include "symbol/dwarf_index.h"

#include <dwarf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbol/dwarf_file.h"
#include "symbol/dwarf_forms.h"
#include "symbol/dwarf_lines.h"
#include "symbol/dwarf_qualify.h"
#include "symbol/dwarf_scopes.h"

#define FRAME_STEPS 1000 /* libdw searches for some ten attributes */

struct dwarf_index {
	struct dwarf_file file;
	const struct split_source *source; /* of split DWARF; may be NULL */
	char missing[400];
};

struct place {
	const char *file;
	u32 line;
};

/* Holds the name and position of a scope. */
struct description {
	bool known; /* if false, the rest is not filled in yet */
	const char *name, *linkage_name, *file;
	u32 start_line;
	struct place call; /* where its parent calls it */
	u64 low_pc;
};

struct batch {
	struct budget *budget;
	struct split_units *splits;
	struct dwarf_scopes scopes;
	struct description *descriptions; /* for each scope */
	struct place *lines; /* for each address */
	struct dwarf_lines *tables;
	struct dwarf_qualifier *qualifier; /* owns the names that it built */
};

int dwarf_index_new(struct elf_file *f, struct elf_file *alt, struct dwarf_index **out)
{
	struct dwarf_index *index = calloc(1, sizeof(*index));
	int err;

	if (!index)
		return -ENOMEM;
	err = dwarf_file_init(&index->file, f, alt);
	if (err)
		free(index);
	else
		*out = index;
	return err;
}

void dwarf_index_split(struct dwarf_index *index, const struct split_source *source)
{
	index->source = source;
}

void dwarf_index_missing(const struct dwarf_index *index, char *out, size_t size)
{
	snprintf(out, size, "%s", index->missing);
}

void dwarf_index_free(struct dwarf_index *index)
{
	if (!index)
		return;
	dwarf_file_release(&index->file);
	free(index);
}

/* ---- lines ----------------------------------------------------------------------------------- */

struct unit_address {
	Dwarf_Die unit;
	u64 vaddr;
	u32 which;
};

static int compare_addresses(const void *a, const void *b)
{
	const struct unit_address *x = a, *y = b;

	if (x->unit.addr != y->unit.addr)
		return x->unit.addr < y->unit.addr ? -1 : 1;
	return x->which < y->which ? -1 : x->which > y->which;
}

static void set_lines(struct batch *b, struct line_table *table, const struct unit_address *list,
		      const struct line_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct place *place = &b->lines[list[i].which];

		if (!rows[i].found)
			continue;
		place->line = rows[i].line;
		place->file = line_table_file(table, rows[i].file);
	}
}

/* Runs the line table of a unit for its addresses. */
static int find_unit_lines(struct batch *b, struct unit_address *list, size_t n)
{
	struct line_table *table = dwarf_lines_of(b->tables, &list[0].unit);
	struct line_row *rows = calloc(n, sizeof(*rows));
	u64 *vaddrs = malloc(n * sizeof(*vaddrs));
	int err = rows && vaddrs ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < n; i++)
		vaddrs[i] = list[i].vaddr;
	if (!err && table) {
		line_table_find(table, vaddrs, n, rows);
		set_lines(b, table, list, rows, n);
	}
	free(rows);
	free(vaddrs);
	return err;
}

static int find_lines(struct batch *b)
{
	const struct dwarf_scopes *s = &b->scopes;
	struct unit_address *list = calloc(s->n, sizeof(*list));
	size_t n = 0;
	int err = list ? 0 : -ENOMEM;

	for (size_t i = 0; i < s->n && !err; i++) {
		if (!dwarf_scopes_unit(s, i, &list[n].unit))
			continue;
		list[n].vaddr = s->vaddrs[i];
		list[n++].which = (u32)i;
	}
	if (n)
		qsort(list, n, sizeof(*list), compare_addresses);
	for (size_t i = 0, end; i < n && !err; i = end) {
		for (end = i + 1; end < n && list[end].unit.addr == list[i].unit.addr;)
			end++;
		err = find_unit_lines(b, list + i, end - i);
	}
	free(list);
	return err;
}

/* ---- frames ---------------------------------------------------------------------------------- */

static void describe_call(struct batch *b, Dwarf_Die *die, struct place *call)
{
	Dwarf_Attribute attr;
	Dwarf_Word line;

	call->file = dwarf_lines_file(b->tables, die, DW_AT_call_file);
	if (!dwarf_formudata(dwarf_attr(die, DW_AT_call_line, &attr), &line) && line <= INT32_MAX)
		call->line = (u32)line;
}

/* Compilers wrote linkage names as a vendor's attribute until version 4 had one of its own. */
static bool is_before_version_4(Dwarf_Die *die)
{
	Dwarf_Half version;

	return dwarf_cu_info(die->cu, &version, NULL, NULL, NULL, NULL, NULL, NULL) || version < 4;
}

static void describe(struct batch *b, struct dwarf_scope *scope, struct description *d)
{
	Dwarf_Attribute attr;
	Dwarf_Word line;

	d->known = true;
	d->name = dwarf_forms_text(b->splits, &scope->die, DW_AT_name);
	d->linkage_name = dwarf_forms_text(b->splits, &scope->die, DW_AT_linkage_name);
	if (!d->linkage_name && is_before_version_4(&scope->die))
		d->linkage_name = dwarf_forms_text(b->splits, &scope->die, DW_AT_MIPS_linkage_name);
	if (!d->linkage_name && d->name) {
		const char *full = dwarf_qualify(b->qualifier, &scope->die, d->name);

		if (full)
			d->name = full;
	}
	d->file = dwarf_lines_file(b->tables, &scope->die, DW_AT_decl_file);
	if (dwarf_forms_attr(b->splits, &scope->die, DW_AT_decl_line, &attr) &&
	    !dwarf_formudata(&attr, &line) && line <= INT32_MAX)
		d->start_line = (u32)line;
	if (scope->parent != NO_SCOPE)
		describe_call(b, &scope->die, &d->call);
	else if (!dwarf_forms_low_pc(b->splits, &scope->die, &d->low_pc))
		d->low_pc = 0;
}

/* Returns NULL once the budget has run out. */
static const struct description *description_of(struct batch *b, u32 scope)
{
	struct description *d = &b->descriptions[scope];

	if (!d->known) {
		if (!budget_look(b->budget, BUDGET_INFO, FRAME_STEPS))
			return NULL;
		describe(b, &b->scopes.scopes.data[scope], d);
	}
	return d;
}

/* Version 5 line tables give directories relative to that of the compiler. */
static void set_directories(Dwarf_Die *unit, struct dwarf_frame *frames, u32 n)
{
	Dwarf_Attribute attr;

	for (u32 i = 0; i < n; i++) {
		if (frames[i].file && frames[i].file[0] != '/')
			frames[i].directory =
				dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &attr));
	}
}

/* Fills `frames` (DWARF_MAX_INLINES of them) for one address and returns their number. */
static u32 frames_of(struct batch *b, size_t which, struct dwarf_frame *frames)
{
	u32 scope = b->scopes.scope_of[which], n = 0;
	Dwarf_Die unit;

	frames[0] =
		(struct dwarf_frame){.line = b->lines[which].line, .file = b->lines[which].file};
	if (!dwarf_scopes_unit(&b->scopes, which, &unit))
		return 0;
	if (scope == NO_SCOPE && frames[0].line)
		n = 1;
	while (scope != NO_SCOPE && n < DWARF_MAX_INLINES) {
		const struct description *d = description_of(b, scope);
		struct dwarf_frame *f = &frames[n++];

		if (!d)
			return 0;
		f->name = d->name;
		f->linkage_name = d->linkage_name;
		f->start_line = d->start_line;
		f->low_pc = d->low_pc;
		if (!f->file)
			f->file = d->file;
		scope = b->scopes.scopes.data[scope].parent;
		if (scope != NO_SCOPE && n < DWARF_MAX_INLINES)
			frames[n] =
				(struct dwarf_frame){.file = d->call.file, .line = d->call.line};
	}
	set_directories(&unit, frames, n);
	return n;
}

static int report(struct batch *b, dwarf_found_fn found, void *arg)
{
	struct dwarf_frame *frames = calloc(DWARF_MAX_INLINES, sizeof(*frames));
	int err = frames ? 0 : -ENOMEM;

	for (size_t i = 0; i < b->scopes.n && !err; i++) {
		u32 n = frames_of(b, i, frames);

		if (n)
			err = found(arg, i, frames, n);
	}
	free(frames);
	return err;
}

static int resolve(struct batch *b, struct dwarf_index *index, const u64 *vaddrs, size_t n)
{
	int err = split_units_new(&index->file, index->source, &b->splits);

	if (!err)
		err = dwarf_scopes_init(&b->scopes, index->file.dwarf, b->splits, b->budget, vaddrs,
					n);
	if (err)
		return err;
	split_units_missing(b->splits, index->missing, sizeof(index->missing));
	if (b->scopes.damaged && !index->missing[0])
		snprintf(index->missing, sizeof(index->missing),
			 "a unit is damaged, or of a version of DWARF that libdw does not know");
	b->lines = calloc(n, sizeof(*b->lines));
	b->descriptions = calloc(b->scopes.scopes.len + 1, sizeof(*b->descriptions));
	if (!b->lines || !b->descriptions || dwarf_lines_new(&index->file, b->splits, &b->tables) ||
	    dwarf_qualifier_new(b->budget, b->splits, &b->qualifier))
		return -ENOMEM;
	return find_lines(b);
}

int dwarf_index_resolve(struct dwarf_index *index, const u64 *vaddrs, size_t n,
			dwarf_found_fn found, void *arg)
{
	struct batch b = {.budget = index->file.budget};
	int err;

	if (!n)
		return 0;
	err = resolve(&b, index, vaddrs, n);
	if (!err)
		err = report(&b, found, arg);
	dwarf_qualifier_free(b.qualifier);
	dwarf_lines_free(b.tables);
	dwarf_scopes_release(&b.scopes);
	split_units_free(b.splits);
	free(b.descriptions);
	free(b.lines);
	return err;
}
