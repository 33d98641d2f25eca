/* SPDX-License-Identifier: Apache-2.0 */
/* Merges two lists of rows: see row_patch.h. */
#include "unwind/row_patch.h"

#define BLOCK_SIZE (1u << UNWIND_BLOCK_SHIFT)

struct merging { /* over the present rows and those of the patch */
	const struct row_patch *patch;
	const struct unwind_block *block;
	const u32 *words;
	u64 off; /* of the block */
	u32 next_word, rule; /* the present rule, and the row that ends it */
	size_t next_row; /* of the patch */
};

static u64 word_off(const struct merging *c, u32 i)
{
	return c->off + ((c->words[i] >> 16) - (u32)(c->off & 0xffff)) % BLOCK_SIZE;
}

/* Returns the rule at `at`, which never decreases. */
static u32 rule_at(struct merging *c, u64 at)
{
	const struct row_patch *p = c->patch;

	while (c->next_word < c->block->nrows && word_off(c, c->next_word) <= at)
		c->rule = UNWIND_ROW_RULE(c->words[c->next_word++]);
	while (c->next_row < p->n && p->rows[c->next_row].off <= at)
		c->next_row++;
	if (c->rule != UNWIND_RULE_LATER || at < p->start || at >= p->end || !c->next_row)
		return c->rule;
	return p->rows[c->next_row - 1].rule;
}

static u64 lower_above(u64 a, u64 b, u64 floor)
{
	return b > floor && b < a ? b : a;
}

/* Returns where another rule may begin. */
static u64 next_change(const struct merging *c, u64 at)
{
	const struct row_patch *p = c->patch;
	u64 next = c->off + BLOCK_SIZE;

	if (c->next_word < c->block->nrows)
		next = lower_above(next, word_off(c, c->next_word), at);
	if (c->next_row < p->n)
		next = lower_above(next, p->rows[c->next_row].off, at);
	next = lower_above(next, p->start, at);
	return lower_above(next, p->end, at);
}

bool row_patch_block(const struct row_patch *patch, u64 off, const struct unwind_block *block,
		     const u32 *words, struct block_rows *out)
{
	struct merging c = {
		.patch = patch, .block = block, .words = words, .off = off, .rule = block->rule};
	bool changed = false;
	u32 last = 0;

	out->n = 0;
	for (u64 at = off; at < off + BLOCK_SIZE; at = next_change(&c, at)) {
		u32 rule = rule_at(&c, at);

		changed |= rule != c.rule;
		if (at == off)
			out->rule = rule;
		else if (rule != last)
			out->words[out->n++] = UNWIND_ROW(at, rule);
		last = rule;
	}
	return changed;
}
