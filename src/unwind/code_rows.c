/* SPDX-License-Identifier: Apache-2.0 */
/* Finds where functions begin that have no call frame information: see code_rows.h. */
#include "unwind/code_rows.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/machine.h"
#include "base/vec.h"
#include "elf/symbols.h"

/* Compilers pad functions to 16 bytes. */
#define ALIGNMENT 16
#define PADDING_MAX 15
/* Searching a byte takes some 2 ns, and following one some 30. */
#define SCAN_FACTOR 64

typedef VEC(struct code_range) range_vec;
typedef VEC(u64) address_vec;

struct search {
	struct elf_file *f;
	struct file_image *image;
	struct code_flow *flow;
	const struct code_range *ranges;
	size_t n;
	u64 first, last; /* the bounds of all ranges */
	address_vec sure, guesses;
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

static void add(struct search *s, address_vec *to, u64 vaddr)
{
	if (!s->err && is_inside(s, vaddr) && vec_push(to, vaddr))
		s->err = -ENOMEM;
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
		add(s, &s->sure, symbol->vaddr);
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
			add(s, &s->guesses, function);
}

static void scan_words(struct search *s, struct bytes data)
{
	for (size_t at = 0; at + sizeof(u64) <= data.len && !s->err; at += sizeof(u64)) {
		u64 word;

		memcpy(&word, data.data + at, sizeof(word));
		if (word >= s->first && word < s->last)
			add(s, &s->guesses, word);
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
			add(s, &s->guesses, (u64)r.r_addend);
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

/* A file of which next to nothing has no call frame information is not searched for what leads to
 * that. */
static bool is_worth_a_scan(const struct search *s)
{
	const struct elf_segment *segments;
	size_t n = elf_file_segments(s->f, &segments);
	u64 all = 0, wanted = 0;

	for (size_t i = 0; i < n; i++)
		all += segments[i].filesz;
	for (size_t i = 0; i < s->n; i++)
		wanted += s->ranges[i].end - s->ranges[i].start;
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

/* ---- following ------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void sort(address_vec *v)
{
	size_t kept = 0;

	if (v->len)
		qsort(v->data, v->len, sizeof(*v->data), compare);
	for (size_t i = 0; i < v->len; i++)
		if (!kept || v->data[kept - 1] != v->data[i])
			v->data[kept++] = v->data[i];
	v->len = kept;
}

/* Returns where the padding at `vaddr` ends. */
static u64 skip_padding(struct search *s, u64 vaddr, u64 end)
{
	struct stack_effect e;

	while (vaddr < end && budget_take(elf_file_budget(s->f), BUDGET_CODE, 100)) {
		struct bytes code = file_image_at(s->image, vaddr);

		if (!code.len)
			return end;
		if (!code.data[0])
			vaddr++;
		else if (stack_effect_decode(code, vaddr, &e) && e.is_padding)
			vaddr += e.length;
		else
			return vaddr;
	}
	return end;
}

/* Functions that nothing leads to begin where a range begins, or behind the padding of another
 * one. */
static void follow_rest(struct search *s, const struct code_range *range)
{
	u64 at = range->start;

	while ((at = code_flow_hole(s->flow, at, range->end)) < range->end) {
		u64 start = skip_padding(s, at, range->end);

		if (start >= range->end)
			return;
		if (start != code_flow_hole(s->flow, start, start + 1)) {
			at = start;
			continue;
		}
		if (start % ALIGNMENT == 0 || start == range->start)
			code_flow_follow(s->flow, start, CODE_START_GUESS);
		at = start + 1;
		if (code_flow_hole(s->flow, start, at) == start)
			at = (start / ALIGNMENT + 1) * ALIGNMENT;
	}
}

/* Functions are mostly aligned, and what is before them ends or is padding. */
static enum code_start how_likely(u64 vaddr)
{
	return vaddr % ALIGNMENT ? CODE_START_GUESS : CODE_START_LIKELY;
}

static void follow(struct search *s)
{
	sort(&s->sure);
	sort(&s->guesses);
	vec_for_each(&s->sure, at)
		code_flow_expect(s->flow, *at, CODE_START_SURE);
	vec_for_each(&s->guesses, at)
		code_flow_expect(s->flow, *at, how_likely(*at));
	vec_for_each(&s->sure, at)
		code_flow_follow(s->flow, *at, CODE_START_SURE);
	vec_for_each(&s->guesses, at)
		code_flow_follow(s->flow, *at, how_likely(*at));
	for (size_t i = 0; i < s->n; i++)
		follow_rest(s, &s->ranges[i]);
}

int code_rows_find(struct elf_file *f, struct elf_file *debug, const struct code_range *ranges,
		   size_t n, struct code_flow **out)
{
	struct search s = {.f = f, .ranges = ranges, .n = n};

	*out = NULL;
	if (!n)
		return 0;
	s.first = ranges[0].start;
	s.last = ranges[n - 1].end;
	s.err = file_image_new(f, &s.image);
	if (!s.err)
		s.err = code_flow_new(s.image, elf_file_budget(f), ranges, n, &s.flow);
	if (!s.err) {
		add_symbols(&s, f);
		add_symbols(&s, debug);
	}
	if (!s.err)
		add(&s, &s.sure, elf_file_entry(f));
	if (!s.err && is_worth_a_scan(&s))
		scan_segments(&s);
	if (!s.err)
		follow(&s);
	vec_release(&s.sure);
	vec_release(&s.guesses);
	file_image_free(s.image);
	if (s.err) {
		code_flow_free(s.flow);
		return s.err;
	}
	*out = s.flow;
	return 0;
}

/* ---- ranges ---------------------------------------------------------------------------------- */

static int add_range(range_vec *ranges, u64 start, u64 end)
{
	if (end <= start || end - start <= PADDING_MAX)
		return 0;
	return vec_push(ranges, (struct code_range){start, end});
}

/* Fixed ranges are parts of functions that nothing else describes. */
static int add_gaps(range_vec *ranges, const struct function_index *index, u64 start, u64 end)
{
	size_t i = function_index_lower_bound(index, start);
	int err = 0;

	for (i -= i > 0; !err && i < index->entries.len; i++) {
		const struct function_entry *e = &index->entries.data[i];

		if (e->fde.start >= end)
			break;
		if (e->source == FUNCTION_FIXED || e->fde.end <= start)
			continue;
		err = add_range(ranges, start, e->fde.start);
		start = e->fde.end;
	}
	return err ? err : add_range(ranges, start, end);
}

static int range_compare(const void *a, const void *b)
{
	const struct code_range *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/* Segments of a hostile file may overlap. */
static void order(range_vec *ranges)
{
	u64 floor = 0;
	size_t kept = 0;

	if (ranges->len)
		qsort(ranges->data, ranges->len, sizeof(*ranges->data), range_compare);
	for (size_t i = 0; i < ranges->len; i++) {
		struct code_range r = ranges->data[i];

		r.start = r.start < floor ? floor : r.start;
		if (r.start >= r.end)
			continue;
		floor = r.end;
		ranges->data[kept++] = r;
	}
	ranges->len = kept;
}

struct gaps {
	struct elf_file *f;
	const struct function_index *index;
	range_vec ranges;
	bool has_sections;
};

/* Returns how many of `size` bytes at `vaddr` are executable and in the file, whatever its headers
 * say. */
static u64 code_size(const struct elf_file *f, u64 vaddr, u64 size)
{
	const struct elf_segment *segments;
	size_t n = elf_file_segments(f, &segments);
	u64 offset, left;

	for (size_t i = 0; i < n; i++) {
		const struct elf_segment *s = &segments[i];

		if (!(s->flags & PF_X) || vaddr < s->vaddr || vaddr - s->vaddr >= s->filesz ||
		    __builtin_add_overflow(s->offset, vaddr - s->vaddr, &offset) ||
		    offset >= elf_file_size(f))
			continue;
		left = s->filesz - (vaddr - s->vaddr);
		left = left < elf_file_size(f) - offset ? left : elf_file_size(f) - offset;
		return size < left ? size : left;
	}
	return 0;
}

static int add_code(struct gaps *g, u64 vaddr, u64 size)
{
	size = code_size(g->f, vaddr, size);
	return size && vaddr <= UINT64_MAX - size
		       ? add_gaps(&g->ranges, g->index, vaddr, vaddr + size)
		       : 0;
}

static int add_section(void *arg, const char *name, Elf_Scn *scn, const GElf_Shdr *shdr)
{
	struct gaps *g = arg;

	if (!(shdr->sh_flags & SHF_EXECINSTR))
		return 0;
	g->has_sections = true;
	return add_code(g, shdr->sh_addr, shdr->sh_size);
}

/* Linkers may put data and code into one segment. */
static int find_gaps(struct gaps *g)
{
	const struct elf_segment *segments;
	size_t n = elf_file_segments(g->f, &segments);
	int err = elf_file_visit_sections(g->f, add_section, g);

	if (err == -ENOMEM || g->has_sections)
		return err == -ENOMEM ? err : 0;
	for (size_t i = 0; i < n; i++) {
		err = segments[i].flags & PF_X ? add_code(g, segments[i].vaddr, segments[i].filesz)
					       : 0;
		if (err)
			return err;
	}
	return 0;
}

int code_rows_new(struct elf_file *f, struct elf_file *debug, const struct function_index *index,
		  struct code_flow **out)
{
	struct gaps g = {.f = f, .index = index};
	int err = find_gaps(&g);

	*out = NULL;
	order(&g.ranges);
	if (!err)
		err = code_rows_find(f, debug, g.ranges.data, g.ranges.len, out);
	if (err == -E2BIG) /* The file has its other rows. */
		err = 0;
	vec_release(&g.ranges);
	return err;
}
