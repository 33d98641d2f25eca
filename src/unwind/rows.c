/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiles a module. For each executable segment it takes the functions in address order and writes
 * the rows of each straight into the tables, so only the FDE headers are kept in memory on the way.
 */
#include "unwind/rows.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>

#include "arch/go.h"
#include "arch/machine.h"
#include "unwind/code_rows.h"
#include "unwind/function_index.h"
#include "unwind/plt_stub.h"
#include "unwind/row_writer.h"
#include "unwind/stack_end.h"

/*
 * Compilers pad functions to 16 bytes. No code runs in such a gap, so the previous function's rule
 * may extend over it, which saves a row per function.
 */
#define PADDING_MAX 15
/* Linkers make one or two, and each costs a pass over the functions that it covers. */
#define CODE_SEGMENTS_MAX 64
#define MODULE_RULES_MAX 4096

struct code { /* describes one executable segment, as far as the file has bytes for it */
	u64 offset, end, vaddr;
};

struct build {
	struct elf_file *f;
	struct rule_set *set;
	struct function_index index;
	struct code_flow *code_flow; /* of code that has no FDE; NULL if there is none */
	struct row_writer writer;
	struct code code[CODE_SEGMENTS_MAX];
	size_t ncode;
	u32 gap_rule;
	bool later; /* code that has no FDE is left for later */

	const struct code *here; /* the current segment */
	const struct go_switch *go_switch; /* for the current function; usually NULL */
	u64 uncovered; /* struct rows */
	u64 floor, limit; /* vaddrs; the current function may set rules only in [floor, limit) */
};

/* ---- segments -------------------------------------------------------------------------------- */

static int code_compare(const void *a, const void *b)
{
	const struct code *x = a, *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* Sorts by offset and cuts off what an earlier segment already covers. */
static void order_code(struct build *b)
{
	u64 floor = 0;

	qsort(b->code, b->ncode, sizeof(*b->code), code_compare);
	for (size_t i = 0; i < b->ncode; i++) {
		struct code *c = &b->code[i];
		u64 cut = c->offset < floor ? floor - c->offset : 0;

		if (cut > c->end - c->offset)
			cut = c->end - c->offset;
		c->offset += cut;
		c->vaddr += cut;
		floor = c->end > floor ? c->end : floor;
	}
}

static int find_code(struct build *b)
{
	const struct elf_segment *s;
	size_t n = elf_file_segments(b->f, &s);
	u64 size = elf_file_size(b->f), last;

	for (size_t i = 0; i < n && b->ncode < CODE_SEGMENTS_MAX; i++) {
		u64 filesz = s[i].filesz;

		if (!(s[i].flags & PF_X) || !filesz || s[i].offset >= size)
			continue;
		if (filesz > size - s[i].offset)
			filesz = size - s[i].offset;
		if (__builtin_add_overflow(s[i].vaddr, filesz, &last))
			continue;
		b->code[b->ncode++] = (struct code){
			.offset = s[i].offset, .end = s[i].offset + filesz, .vaddr = s[i].vaddr};
	}
	if (!b->ncode || !arch_is_machine(elf_file_machine(b->f)))
		return -ENOEXEC;
	order_code(b);
	return 0;
}

/* ---- functions ------------------------------------------------------------------------------- */

static int put_at(struct build *b, u64 vaddr, u32 rule)
{
	return row_writer_put(&b->writer, vaddr - b->here->vaddr + b->here->offset, rule);
}

static int put_row(void *arg, u64 vaddr, const struct unwind_rule *rule)
{
	struct build *b = arg;
	struct unwind_rule switched;

	if (vaddr >= b->limit)
		return 0;
	if (b->go_switch) {
		switched = go_switch_rule(&b->index.switches, b->go_switch, rule);
		rule = &switched;
	}
	return put_at(b, vaddr > b->floor ? vaddr : b->floor, rule_set_number(b->set, rule));
}

/* What leads from code to its caller is known from the code itself, or not at all. */
static int put_code_row(void *arg, u64 vaddr, const struct unwind_rule *rule)
{
	bool known = rule->cfa != UNWIND_CFA_NONE && rule->cfa != UNWIND_CFA_LATER;
	struct build *b = arg;

	return put_at(b, vaddr, known ? rule_set_number(b->set, rule) : b->gap_rule);
}

static int put_gap(struct build *b, u64 upto)
{
	if (upto <= b->floor || (upto - b->floor <= PADDING_MAX && b->floor > b->here->vaddr))
		return 0;
	b->uncovered += upto - b->floor;
	if (b->code_flow)
		return code_flow_rows(b->code_flow, b->floor, upto, put_code_row, b);
	return put_at(b, b->floor, b->later ? (u32)UNWIND_RULE_LATER : b->gap_rule);
}

static int put_go_row(void *arg, u64 vaddr, s64 distance)
{
	const struct unwind_rule rule = arch_go_rule(distance);

	return put_row(arg, vaddr, &rule);
}

static int put_function(struct build *b, const struct function_entry *e)
{
	const struct cfi_visitor v = {.row = put_row, .arg = b};

	if (e->source == FUNCTION_FIXED)
		return put_at(b, b->floor, (u32)e->fde.offset);
	b->go_switch = go_switches_find(&b->index.switches, e->fde.start);
	if (e->source == FUNCTION_GO)
		return gopclntab_sp(b->index.go, e->fde.offset, put_go_row, b);
	return cfi_reader_run(b->index.readers[e->source], &e->fde, &v);
}

static u64 lower(u64 a, u64 b)
{
	return a < b ? a : b;
}

/* A fixed range that begins inside a function takes over there. */
static u64 function_limit(const struct build *b, size_t i, u64 end)
{
	const struct function_entry *e = &b->index.entries.data[i];
	u64 limit = lower(e->fde.end, end);

	if (i + 1 < b->index.entries.len && e[1].source == FUNCTION_FIXED)
		limit = lower(limit, e[1].fde.start);
	return limit;
}

static int put_segment(struct build *b, const struct code *code)
{
	u64 end = code->vaddr + (code->end - code->offset);
	size_t i = function_index_lower_bound(&b->index, code->vaddr);
	int err = 0;

	b->here = code;
	b->floor = code->vaddr;
	if (i) /* An earlier function may reach into the range. */
		i--;
	for (; !err && i < b->index.entries.len; i++) {
		const struct function_entry *e = &b->index.entries.data[i];

		if (e->fde.start >= end)
			break;
		b->limit = function_limit(b, i, end);
		if (b->limit <= b->floor)
			continue;
		err = put_gap(b, e->fde.start);
		if (e->fde.start > b->floor)
			b->floor = e->fde.start;
		if (!err)
			err = put_function(b, e);
		b->floor = b->limit;
	}
	if (!err)
		err = put_gap(b, end);
	return err ? err : row_writer_put(&b->writer, code->end, UNWIND_RULE_NONE);
}

/* ---- the module ------------------------------------------------------------------------------ */

static int put_all(struct build *b, struct rows *rows)
{
	const struct code *code = b->code;
	int err = 0;

	for (size_t i = 0; !err && i < b->ncode; i++)
		if (code[i].offset < code[i].end)
			err = put_segment(b, &code[i]);
	if (!err)
		err = row_writer_finish(&b->writer);
	rows->nfunctions = (u32)b->index.fdes;
	rows->uncovered = b->uncovered;
	rows->frame_pointers = !b->index.fdes;
	for (size_t i = 0; i < FUNCTION_SOURCES; i++)
		if (b->index.readers[i])
			rows->unsupported_rows +=
				(u32)cfi_reader_stats(b->index.readers[i])->unsupported_rows;
	return err;
}

/* Nearly every stack leads through the code of such a file, and following it takes some 20 ms. */
static bool is_small_without_cfi(const struct build *b)
{
	u64 code = 0;

	for (size_t i = 0; i < b->ncode; i++)
		code += b->code[i].end - b->code[i].offset;
	return code <= FOLLOWED_AT_ONCE && function_index_is_sparse(&b->index, b->f);
}

/* Where nothing is known of the code, Go and files without any FDE are taken to keep frame
 * pointers. */
u32 rows_gap_rule(struct elf_file *f, size_t fdes)
{
	return !fdes || elf_is_go(f) ? UNWIND_RULE_CHAIN : UNWIND_RULE_NONE;
}

static int build_tables(struct build *b, struct elf_file *debug, struct rows *rows)
{
	u64 end = 0;
	int err = function_index_init(&b->index, b->f, debug);

	if (err)
		return err;
	err = plt_stubs_fix(&b->index, b->f, b->set);
	if (!err)
		err = stack_ends_fix(&b->index, b->f, debug, b->set);
	b->later = b->later && !elf_is_go(b->f) && !is_small_without_cfi(b);
	if (!err && !b->later && !elf_is_go(b->f))
		err = code_rows_new(b->f, debug, &b->index, &b->code_flow);
	if (err)
		goto out;
	b->gap_rule = rows_gap_rule(b->f, b->index.fdes);
	for (size_t i = 0; i < b->ncode; i++)
		end = b->code[i].end > end ? b->code[i].end : end;
	err = row_writer_init(&b->writer, rows, b->code[0].offset, end);
	if (err)
		goto out;
	err = put_all(b, rows);
	row_writer_release(&b->writer);
	if (!err && budget_lost(elf_file_budget(b->f), BUDGET_GO))
		err = -E2BIG; /* Some of its functions have no rows. */
out:
	code_flow_free(b->code_flow);
	function_index_release(&b->index);
	return err;
}

static int build(struct elf_file *f, struct elf_file *debug, struct rule_set *set, bool later,
		 struct rows **out)
{
	struct build *b = calloc(1, sizeof(*b));
	struct rows *rows = calloc(1, sizeof(*rows));
	int err = -ENOMEM;

	if (!b || !rows)
		goto out;
	b->f = f;
	b->set = set;
	b->later = later;
	rule_set_allow(set, MODULE_RULES_MAX);
	err = find_code(b);
	if (!err)
		err = build_tables(b, debug, rows);
out:
	free(b);
	if (err) {
		rows_free(rows);
		return err;
	}
	*out = rows;
	return 0;
}

int rows_build(struct elf_file *f, struct elf_file *debug, struct rule_set *set, struct rows **out)
{
	return build(f, debug, set, false, out);
}

int rows_build_cfi(struct elf_file *f, struct elf_file *debug, struct rule_set *set,
		   struct rows **out)
{
	return build(f, debug, set, true, out);
}

void rows_free(struct rows *rows)
{
	if (!rows)
		return;
	free(rows->blocks);
	free(rows->words);
	free(rows);
}

u32 rows_in_block(const struct unwind_block *b, const u32 *words, u64 off)
{
	u32 key = UNWIND_ROW(off, 0xffff), lo = 0, hi = b->nrows;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (words[mid] <= key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? UNWIND_ROW_RULE(words[lo - 1]) : b->rule;
}

u32 rows_find(const struct rows *rows, u64 off)
{
	u64 block = (off - rows->base_off) >> UNWIND_BLOCK_SHIFT;
	const struct unwind_block *b;

	if (off < rows->base_off || block >= rows->nblocks)
		return UNWIND_RULE_NONE;
	b = &rows->blocks[block];
	return rows_in_block(b, rows->words + b->first_row, off);
}

int rows_functions(struct elf_file *f, struct function_range **out, size_t *len)
{
	struct function_index index;
	size_t n = 0;
	int err = function_index_init(&index, f, NULL);

	if (err)
		return err;
	*out = calloc(index.entries.len + 1, sizeof(**out));
	if (*out) {
		vec_for_each(&index.entries, e)
			if (!n || (*out)[n - 1].start != e->fde.start)
				(*out)[n++] = (struct function_range){e->fde.start, e->fde.end};
	}
	*len = n;
	err = *out ? 0 : -ENOMEM;
	function_index_release(&index);
	return err;
}
