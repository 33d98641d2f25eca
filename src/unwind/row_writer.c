/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the blocks, pages and padding of a module's rows: see row_writer.h. */
#include "unwind/row_writer.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 4096u
#define BLOCK_SIZE (1ull << UNWIND_BLOCK_SHIFT)
#define BLOCKS_MAX (4u << 20) /* enough for 4 GiB of text */

static size_t whole_pages(size_t size)
{
	return (size + PAGE - 1) / PAGE * PAGE;
}

static void *pages_new(size_t size)
{
	void *p = aligned_alloc(PAGE, whole_pages(size ? size : 1));

	if (p)
		memset(p, 0, whole_pages(size ? size : 1));
	return p;
}

int row_writer_init(struct row_writer *w, struct rows *rows, u64 start, u64 end)
{
	u64 nblocks;

	rows->base_off = start & ~(BLOCK_SIZE - 1);
	nblocks = (end - rows->base_off + BLOCK_SIZE - 1) / BLOCK_SIZE;
	if (nblocks > BLOCKS_MAX)
		return -E2BIG;
	rows->nblocks = (u32)nblocks;
	rows->blocks = pages_new(nblocks * sizeof(*rows->blocks));
	if (!rows->blocks)
		return -ENOMEM;
	w->rows = rows;
	w->words.data = NULL;
	w->words.len = w->words.cap = 0;
	w->npending = w->block = 0;
	w->block_rule = w->rule = w->held_rule = UNWIND_RULE_NONE;
	w->held_off = rows->base_off;
	return 0;
}

/* The rows of one block never cross a page, so the rest of the page stays empty. */
static int pad_page(struct row_writer *w)
{
	size_t used = w->words.len % UNWIND_PAGE_WORDS, pad = UNWIND_PAGE_WORDS - used;

	if (used + w->npending <= UNWIND_PAGE_WORDS)
		return 0;
	if (vec_reserve(&w->words, w->words.len + pad))
		return -ENOMEM;
	memset(w->words.data + w->words.len, 0, pad * sizeof(u32));
	w->words.len += pad;
	return 0;
}

static int finish_block(struct row_writer *w)
{
	if (pad_page(w) || vec_reserve(&w->words, w->words.len + w->npending))
		return -ENOMEM;
	w->rows->blocks[w->block] = (struct unwind_block){
		.first_row = (u32)w->words.len,
		.nrows = (u16)w->npending,
		.rule = (u16)w->block_rule,
	};
	if (w->npending)
		memcpy(w->words.data + w->words.len, w->pending, w->npending * sizeof(u32));
	w->words.len += w->npending;
	w->rows->nrows += w->npending;
	w->npending = 0;
	w->block++;
	w->block_rule = w->rule;
	return w->rows->nrows > ROWS_MAX ? -E2BIG : 0;
}

static int commit_held(struct row_writer *w)
{
	u64 from_base = w->held_off - w->rows->base_off;
	u32 block = (u32)(from_base >> UNWIND_BLOCK_SHIFT);

	if (w->held_rule == w->rule)
		return 0;
	while (w->block < block && w->block < w->rows->nblocks) {
		int err = finish_block(w);

		if (err)
			return err;
	}
	if (w->block >= w->rows->nblocks)
		return 0;
	w->rule = w->held_rule;
	if (from_base % BLOCK_SIZE)
		w->pending[w->npending++] = UNWIND_ROW(w->held_off, w->held_rule);
	else
		w->block_rule = w->held_rule;
	return 0;
}

int row_writer_put(struct row_writer *w, u64 off, u32 rule)
{
	if (off > w->held_off) {
		int err = commit_held(w);

		if (err)
			return err;
		w->held_off = off;
	}
	w->held_rule = rule;
	return 0;
}

int row_writer_finish(struct row_writer *w)
{
	struct rows *rows = w->rows;
	int err = commit_held(w);

	while (!err && w->block < rows->nblocks)
		err = finish_block(w);
	if (err)
		return err;
	rows->words = pages_new(w->words.len * sizeof(u32));
	if (!rows->words)
		return -ENOMEM;
	if (w->words.len)
		memcpy(rows->words, w->words.data, w->words.len * sizeof(u32));
	rows->nwords = (u32)(whole_pages(w->words.len * sizeof(u32)) / sizeof(u32));
	return 0;
}

void row_writer_release(struct row_writer *w)
{
	vec_release(&w->words);
}
