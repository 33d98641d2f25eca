/* SPDX-License-Identifier: Apache-2.0 */
/* Finds where functions begin that have no call frame information: see code_starts.h. */
#include "unwind/code_starts.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/machine.h"
#include "elf/symbols.h"

/* Searching a byte takes some 2 ns, and following one some 30. */
#define SCAN_FACTOR 64
#define LARGE (16u << 20)
#define FUNCTION_BYTES 8192u /* Most functions are smaller. */
#define ALIGNMENT 16 /* Compilers pad functions to it. */

struct search {
	struct elf_file *f;
	struct file_image *image;
	const struct code_range *ranges;
	size_t n;
	u64 first, last; /* the bounds of all ranges */
	code_start_vec *starts;
	int err;
};

static bool is_inside(const struct search *s, u64 vaddr)
{
	size_t lo = 0, hi = s->n;

	if (vaddr < s->first || vaddr >= s->last)
		return false;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->ranges[mid].end <= vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->n && s->ranges[lo].start <= vaddr;
}

static void add(struct search *s, u64 vaddr, enum code_start how)
{
	if (!s->err && is_inside(s, vaddr) &&
	    vec_push(s->starts, (struct code_start_at){vaddr, how}))
		s->err = -ENOMEM;
}

/* Functions are mostly aligned, and what is before them ends or is padding. */
static void add_guess(struct search *s, u64 vaddr)
{
	add(s, vaddr, vaddr % ALIGNMENT ? CODE_START_GUESS : CODE_START_LIKELY);
}

/* ---- symbols --------------------------------------------------------------------------------- */

/* Compilers move code that seldom runs out of its function. It begins with the function's frame. */
static bool is_part(const char *name)
{
	size_t len = elf_name_length(name, 4096);

	return len < 4096 && memmem(name, len, ".cold", 5);
}

static int add_symbol(void *arg, const struct elf_symbol *symbol)
{
	struct search *s = arg;
	bool function = symbol->type == STT_FUNC || symbol->type == STT_GNU_IFUNC;

	if ((function || (symbol->type == STT_NOTYPE && symbol->bind != STB_LOCAL)) &&
	    is_inside(s, symbol->vaddr) && !is_part(symbol->name))
		add(s, symbol->vaddr, CODE_START_SURE);
	return s->err;
}

static void add_symbols(struct search *s, struct elf_file *names)
{
	static const char *const tables[] = {".symtab", ".dynsym"};

	for (size_t i = 0; names && i < ARRAY_LEN(tables) && !s->err; i++) {
		int err = elf_symbols_visit(names, tables[i], add_symbol, s);

		if (err == -ENOMEM)
			s->err = err;
	}
}

/* ---- addresses in code and data -------------------------------------------------------------- */

/* Looks at any byte. Most of what is found is what it looks like. */
static void scan_code(struct search *s, struct bytes code, u64 vaddr)
{
	u64 function;

	for (size_t at = 0; at + STACK_EFFECT_MENTION_MAX <= code.len && !s->err; at++)
		if (stack_effect_mentions(code.data + at, vaddr + at, &function))
			add_guess(s, function);
}

static void scan_words(struct search *s, struct bytes data)
{
	for (size_t at = 0; at + sizeof(u64) <= data.len && !s->err; at += sizeof(u64)) {
		u64 word;

		memcpy(&word, data.data + at, sizeof(word));
		if (word >= s->first && word < s->last)
			add_guess(s, word);
	}
}

/* Code that is loaded anywhere has its pointers in relocations. */
static void scan_relocations(struct search *s)
{
	struct elf_section rela;
	Elf64_Rela r;

	if (elf_file_section(s->f, ".rela.dyn", &rela) ||
	    !budget_take(elf_file_budget(s->f), BUDGET_CODE, rela.data.len / 8 + 1))
		return;
	for (size_t at = 0; at + sizeof(r) <= rela.data.len && !s->err; at += sizeof(r)) {
		memcpy(&r, rela.data.data + at, sizeof(r));
		if (arch_is_own_address(ELF64_R_TYPE(r.r_info)))
			add_guess(s, (u64)r.r_addend);
	}
}

static void scan_segment(struct search *s, const struct elf_segment *g)
{
	u64 at = g->vaddr, end = g->vaddr + g->filesz;
	struct bytes b;

	while (at < end && !s->err) {
		b = file_image_run(s->image, at);
		if (!b.len || !budget_take(elf_file_budget(s->f), BUDGET_CODE, b.len))
			return;
		if (g->flags & PF_X)
			scan_code(s, b, at);
		else if (!(at % sizeof(u64)))
			scan_words(s, b);
		at += b.len > FILE_IMAGE_PART ? b.len - FILE_IMAGE_PART : b.len;
	}
}

static u64 bytes_wanted(const struct search *s)
{
	u64 wanted = 0;

	for (size_t i = 0; i < s->n; i++)
		wanted += s->ranges[i].end - s->ranges[i].start;
	return wanted;
}

/* A file of which next to nothing has no call frame information is not searched for what leads to
 * that, and neither is a large one whose symbols name functions. */
static bool is_worth_a_scan(const struct search *s)
{
	const struct elf_segment *segments;
	size_t n = elf_file_segments(s->f, &segments);
	u64 all = 0, wanted = bytes_wanted(s);

	for (size_t i = 0; i < n; i++)
		all += segments[i].filesz;
	if (all > LARGE && s->starts->len * FUNCTION_BYTES >= wanted)
		return false;
	return all / SCAN_FACTOR <= wanted;
}

static void scan_segments(struct search *s)
{
	const struct elf_segment *segments;
	size_t n = elf_file_segments(s->f, &segments);

	for (size_t i = 0; i < n && !s->err; i++)
		scan_segment(s, &segments[i]);
	scan_relocations(s);
}

/* ---- the list ---- */

static int compare(const void *a, const void *b)
{
	const struct code_start_at *x = a, *y = b;

	if (x->vaddr != y->vaddr)
		return x->vaddr < y->vaddr ? -1 : 1;
	return (x->how > y->how) - (x->how < y->how);
}

static void sort(code_start_vec *v)
{
	size_t kept = 0;

	if (v->len)
		qsort(v->data, v->len, sizeof(*v->data), compare);
	for (size_t i = 0; i < v->len; i++)
		if (!kept || v->data[kept - 1].vaddr != v->data[i].vaddr)
			v->data[kept++] = v->data[i];
	v->len = kept;
}

int code_starts_find(struct elf_file *f, struct elf_file *debug, struct file_image *image,
		     const struct code_range *ranges, size_t n, code_start_vec *out)
{
	struct search s = {.f = f, .image = image, .ranges = ranges, .n = n, .starts = out};

	*out = (code_start_vec){0};
	if (!n)
		return 0;
	s.first = ranges[0].start;
	s.last = ranges[n - 1].end;
	add_symbols(&s, f);
	add_symbols(&s, debug);
	add(&s, elf_file_entry(f), CODE_START_SURE);
	if (!s.err && is_worth_a_scan(&s))
		scan_segments(&s);
	if (s.err)
		vec_release(out);
	else
		sort(out);
	return s.err;
}
