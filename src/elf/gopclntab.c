/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads Go's own function table: see gopclntab.h.
 *
 *   header: magic u32, 0, 0, quantum u8, pointer size u8, then words: functions, files, [start of
 *           text, since 1.18], and the offsets of names, units, files, pc tables, functions
 *   functions: { entry, offset of struct func } for each, sorted, then the end of the last one;
 *   u32s
 *           relative to the start of text since 1.18, words before
 *   func:   entry, name s32, args, deferreturn, pcsp, pcfile u32, pcln u32, npcdata, unit u32
 *   pc table: pairs of varints (zigzag value delta, pc delta / quantum), from value -1 and the
 *   entry on
 */
#include "elf/gopclntab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "elf/symbols.h"

#define MAGIC_1_16 0xfffffffau
#define MAGIC_1_18 0xfffffff0u
#define MAGIC_1_20 0xfffffff1u
#define POINTER_BYTES 8
#define WORDS_AT 8 /* where the words of the header begin */
#define NO_UNIT (~0u)
#define FUNCTION_STEPS 20
#define PC_STEPS 5

struct gopclntab {
	struct budget *budget;
	u64 nfunctions, text;
	/* bytes of an entry or an offset in the function list: 4 since 1.18, 8 before */
	u32 entry_bytes;
	struct bytes functions, names, units, files, pcs;
};

static struct bytes tail(struct bytes all, u64 at)
{
	return at > all.len ? (struct bytes){all.data, 0}
			    : (struct bytes){all.data + at, all.len - at};
}

static u64 entry_at(const struct gopclntab *t, u64 index)
{
	struct cursor c = cursor_over(tail(t->functions, index * t->entry_bytes));

	return t->entry_bytes == 4 ? cursor_u32(&c) : cursor_u64(&c);
}

static u64 function_start(const struct gopclntab *t, u64 i)
{
	return t->text + entry_at(t, 2 * i);
}

/* Go 1.26 leaves the start of the text to the linker, so it is where .text begins. */
static u64 text_start(struct elf_file *f, u64 in_header)
{
	struct elf_section text;

	if (in_header || elf_file_section_header(f, ".text", &text))
		return in_header;
	return text.vaddr;
}

static int read_header(struct gopclntab *t, struct elf_file *f, struct bytes all)
{
	struct cursor c = cursor_over(all);
	u32 magic = cursor_u32(&c);
	u64 words[8] = {0};
	u32 n = magic == MAGIC_1_16 ? 7 : 8, at = n - 5;

	if (magic != MAGIC_1_16 && magic != MAGIC_1_18 && magic != MAGIC_1_20)
		return -ENOENT;
	if (cursor_u16(&c) || cursor_u8(&c) != 1 || cursor_u8(&c) != POINTER_BYTES)
		return -ENOENT;
	for (u32 i = 0; i < n; i++)
		words[i] = cursor_u64(&c);
	if (c.bad)
		return -ENOENT;
	t->nfunctions = words[0];
	t->entry_bytes = magic == MAGIC_1_16 ? 8 : 4;
	t->text = magic == MAGIC_1_16 ? 0 : text_start(f, words[2]);
	t->names = elf_terminated(tail(all, words[at]));
	t->units = tail(all, words[at + 1]);
	t->files = elf_terminated(tail(all, words[at + 2]));
	t->pcs = tail(all, words[at + 3]);
	t->functions = tail(all, words[at + 4]);
	if (!t->nfunctions || t->nfunctions > t->functions.len / (2 * t->entry_bytes))
		return -ENOENT;
	return 0;
}

int gopclntab_new(struct elf_file *f, struct gopclntab **out)
{
	struct elf_section section;
	struct gopclntab *t;
	int err;

	if (elf_file_section(f, ".gopclntab", &section) &&
	    elf_file_section(f, ".data.rel.ro.gopclntab", &section))
		return -ENOENT;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->budget = elf_file_budget(f);
	err = read_header(t, f, section.data);
	if (err) {
		free(t);
		return err;
	}
	*out = t;
	return 0;
}

void gopclntab_free(struct gopclntab *t)
{
	free(t);
}

u64 gopclntab_count(const struct gopclntab *t)
{
	return t->nfunctions;
}

bool gopclntab_function(const struct gopclntab *t, u64 i, struct go_function *out)
{
	struct cursor c = cursor_over(tail(t->functions, entry_at(t, 2 * i + 1)));
	u32 name;

	cursor_take(&c, t->entry_bytes);
	name = cursor_u32(&c);
	out->start = function_start(t, i);
	out->end = function_start(t, i + 1);
	out->name = c.bad ? NULL : elf_name_at(t->names, name);
	return !c.bad && out->end > out->start && budget_take(t->budget, BUDGET_GO, FUNCTION_STEPS);
}

/*
 * Takes one step in a pc table and gives the value that holds up to *pc; false at its end. Each
 * step advances, so a function never takes more steps than it has bytes, even if it shares a long
 * table with others.
 */
static bool table_next(const struct gopclntab *t, struct cursor *c, bool first, u64 *pc, s64 *value)
{
	u64 delta = cursor_uleb(c), from = *pc;

	if (c->bad || (!delta && !first) || !budget_take(t->budget, BUDGET_GO, PC_STEPS))
		return false;
	*value += (s64)(delta >> 1) ^ -(s64)(delta & 1);
	return !__builtin_add_overflow(from, cursor_uleb(c), pc) && *pc > from && !c->bad;
}

int gopclntab_sp(const struct gopclntab *t, u64 i, int (*visit)(void *arg, u64 pc, s64 distance),
		 void *arg)
{
	struct cursor c = cursor_over(tail(t->functions, entry_at(t, 2 * i + 1)));
	u64 pc = function_start(t, i), end = function_start(t, i + 1), from;
	s64 value = -1;
	u32 table;
	int err = 0;

	cursor_take(&c, t->entry_bytes + 3 * sizeof(u32)); /* name, args, deferreturn */
	table = cursor_u32(&c);
	if (c.bad || !table)
		return 0;
	c = cursor_over(tail(t->pcs, table));
	for (bool first = true; !err && pc < end; first = false) {
		from = pc;
		if (!table_next(t, &c, first, &pc, &value))
			break;
		err = visit(arg, from, value);
	}
	return err;
}

/* Looks up the value of a pc table at `vaddr`; false if the table does not reach that far. */
static bool table_value(const struct gopclntab *t, u32 table, u64 start, u64 vaddr, s64 *value)
{
	struct cursor c = cursor_over(tail(t->pcs, table));
	u64 pc = start;

	*value = -1;
	for (bool first = true; table_next(t, &c, first, &pc, value); first = false) {
		if (vaddr < pc)
			return true;
	}
	return false;
}

static const char *file_name(const struct gopclntab *t, u32 unit, s64 index)
{
	struct cursor c;
	u32 at;

	if (unit == NO_UNIT || index < 0 || index > UINT32_MAX)
		return NULL;
	c = cursor_over(tail(t->units, ((u64)unit + (u64)index) * sizeof(u32)));
	at = cursor_u32(&c);
	return c.bad || at == NO_UNIT ? NULL : elf_name_at(t->files, at);
}

static bool describe(const struct gopclntab *t, u64 start, u64 func, u64 vaddr, struct go_line *out)
{
	struct cursor c = cursor_over(tail(t->functions, func));
	u32 name, pcfile, pcln, unit;
	s64 file, line;

	cursor_take(&c, t->entry_bytes);
	name = cursor_u32(&c);
	cursor_take(&c, 3 * sizeof(u32)); /* args, deferreturn, pcsp */
	pcfile = cursor_u32(&c);
	pcln = cursor_u32(&c);
	cursor_take(&c, sizeof(u32)); /* npcdata */
	unit = cursor_u32(&c);
	*out = (struct go_line){.start = start, .name = c.bad ? NULL : elf_name_at(t->names, name)};
	if (!out->name || !*out->name)
		return false;
	if (table_value(t, pcfile, start, vaddr, &file))
		out->file = file_name(t, unit, file);
	if (table_value(t, pcln, start, vaddr, &line) && line > 0 && line <= INT32_MAX)
		out->line = (u32)line;
	return true;
}

bool gopclntab_find(const struct gopclntab *t, u64 vaddr, struct go_line *out)
{
	u64 lo = 0, hi = t->nfunctions;

	while (lo < hi) {
		u64 mid = lo + (hi - lo) / 2;

		if (function_start(t, mid) <= vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo || vaddr >= function_start(t, lo))
		return false;
	return describe(t, function_start(t, lo - 1), entry_at(t, 2 * lo - 1), vaddr, out);
}
