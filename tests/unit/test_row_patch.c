/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that are known later: each address has the rule of the patch where it was left for later,
 * and its own elsewhere. */
#include "unwind/row_patch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collect/session/tables.h"
#include "unit.h"

#define BLOCK (1u << UNWIND_BLOCK_SHIFT)
#define BASE 0x3fc00u /* The low half of an offset wraps around in the next block. */
#define BLOCKS 4u
#define MODULE (MODULE_FIRST_FILE + 7)
#define LATER UNWIND_RULE_LATER

struct fixture {
	u32 rule[BLOCKS * BLOCK]; /* what is wanted, by address */
	struct unwind_block blocks[UNWIND_PAGE_BLOCKS];
	u32 words[UNWIND_PAGE_WORDS];
	struct tables *tables;
};

/* Writes the rows that `rule` asks for. */
static void load(struct fixture *f)
{
	struct rows rows = {.base_off = BASE,
			    .blocks = f->blocks,
			    .nblocks = BLOCKS,
			    .words = f->words,
			    .nwords = UNWIND_PAGE_WORDS};
	u32 n = 0;

	for (u32 i = 0; i < BLOCKS * BLOCK; i++) {
		struct unwind_block *b = &f->blocks[i / BLOCK];

		if (i % BLOCK == 0)
			*b = (struct unwind_block){.first_row = n, .rule = (u16)f->rule[i]};
		else if (f->rule[i] != f->rule[i - 1])
			f->words[n++] = UNWIND_ROW(BASE + i, f->rule[i]);
		b->nrows = (u16)(n - b->first_row);
	}
	CHECK(n < UNWIND_PAGE_WORDS);
	CHECK_INT(tables_load(f->tables, MODULE, &rows), 0);
}

static struct fixture *setup(void)
{
	const struct tables_maps none = {-1, -1, -1};
	struct fixture *f = calloc(1, sizeof(*f));

	CHECK(f);
	CHECK_INT(tables_new(&none, &f->tables), 0);
	return f;
}

static void teardown(struct fixture *f)
{
	tables_free(f->tables);
	free(f);
}

static void fill(struct fixture *f, u32 from, u32 to, u32 rule)
{
	for (u32 i = from; i < to; i++)
		f->rule[i] = rule;
}

/* Patches [from, to) with a row at each of `n` addresses from `from` on, `step` bytes apart. */
static void patch(struct fixture *f, u32 from, u32 to, u32 step, u32 n, u32 first_rule)
{
	struct numbered_row *rows = calloc(n, sizeof(*rows));
	struct row_patch p = {.start = BASE + from, .end = BASE + to, .rows = rows, .n = n};

	CHECK(rows);
	for (u32 i = 0; i < n; i++)
		rows[i] = (struct numbered_row){BASE + from + i * step, first_rule + i};
	CHECK_INT(tables_patch(f->tables, MODULE, &p), 0);
	for (u32 i = from; i < to; i++) {
		u32 row = (i - from) / step < n ? (i - from) / step : n - 1;

		if (f->rule[i] == LATER)
			f->rule[i] = first_rule + row;
	}
	free(rows);
}

static void check(const struct fixture *f)
{
	CHECK_INT(tables_rule(f->tables, MODULE, BASE - 1), UNWIND_RULE_NONE);
	CHECK_INT(tables_rule(f->tables, MODULE, BASE + BLOCKS * BLOCK), UNWIND_RULE_NONE);
	for (u32 i = 0; i < BLOCKS * BLOCK; i++)
		CHECK_INT(tables_rule(f->tables, MODULE, BASE + i), f->rule[i]);
}

TEST(row_patch, only_what_was_left_for_later_changes)
{
	struct fixture *f = setup();

	fill(f, 0, 100, 10);
	fill(f, 100, 2500, LATER); /* begins in a block and ends in another one */
	fill(f, 2500, 2600, 11);
	fill(f, 2600, BLOCKS * BLOCK, LATER);
	load(f);
	check(f);
	patch(f, 300, 700, 400, 1, 50);
	check(f);
	patch(f, 0, 1500, 7, 100, 100); /* over all that is there already */
	check(f);
	patch(f, 1024, 3072, 1, 1900, 300); /* a row at each address, over three blocks */
	check(f);
	patch(f, 0, BLOCKS * BLOCK, 1, 1, 20);
	check(f);
	for (u32 i = 0; i < BLOCKS * BLOCK; i++)
		CHECK(f->rule[i] != LATER);
	teardown(f);
}

/* Whoever found the module in the kernel reads the old rows or the new ones. */
TEST(row_patch, the_walker_finds_rows_in_other_pages)
{
	struct fixture *f = setup();
	struct rows view;

	fill(f, 0, BLOCKS * BLOCK, LATER);
	load(f);
	patch(f, 5, 1000, 3, 200, 30);
	CHECK(tables_view(f->tables, MODULE, &view));
	CHECK(view.pages && view.blocks[0].nrows > 1);
	for (u32 i = 0; i < BLOCK; i++) {
		const struct unwind_block *b = &view.blocks[0];
		u32 page = (view.word_page + b->first_row / UNWIND_PAGE_WORDS) &
			   (TABLE_MAX_PAGES - 1);
		const struct unwind_page *at = view.pages->page(view.pages, page);

		CHECK_INT(rows_in_block(b, at->words + b->first_row % UNWIND_PAGE_WORDS, BASE + i),
			  f->rule[i]);
	}
	teardown(f);
}

/* A hostile file may ask for the same block again and again. Then it gets no more pages, and
 * nothing is left for later. */
TEST(row_patch, pages_have_a_bound_and_are_given_back)
{
	struct fixture *f = setup();
	u32 before, used;
	int err = 0;

	fill(f, 0, BLOCKS * BLOCK, LATER);
	before = tables_size(f->tables).pages;
	load(f);
	for (u32 i = 0; i < BLOCK && !err; i++) {
		struct numbered_row rows[2] = {{BASE + i, 4 + i}, {BASE + i + 1, LATER}};
		struct row_patch p = {.start = BASE + i, .end = BASE + i + 2, .rows = rows, .n = 2};

		err = tables_patch(f->tables, MODULE, &p);
	}
	CHECK_INT(err, -ENOSPC);
	used = tables_size(f->tables).pages - before;
	CHECK(used <= 2 + 16 + BLOCKS);
	for (u32 i = 0; i < BLOCK; i++)
		CHECK(tables_rule(f->tables, MODULE, BASE + i) != LATER);
	CHECK_INT(tables_rule(f->tables, MODULE, BASE + BLOCK), LATER);
	tables_unload(f->tables, MODULE);
	CHECK_INT(tables_size(f->tables).pages, before);
	CHECK_INT(tables_rule(f->tables, MODULE, BASE), UNWIND_RULE_NONE);
	teardown(f);
}
