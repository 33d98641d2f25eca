/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Finds the rule that leads from a frame to its caller, for the walker (unwind.h). */
#ifndef CPROF_BPF_UNWIND_RULES_H
#define CPROF_BPF_UNWIND_RULES_H

/*
 * Returns the rule for an offset inside one directory block; shared.h describes the layout.
 *
 * For the verifier, `found` starts as a zero that it does not know and is masked in every round,
 * and the rounds are unrolled. Otherwise it would distinguish every path through the search (a
 * million instructions on 6.18).
 */
static __always_inline u32 rule_in_block(const struct module_table *mt,
					 const struct unwind_block *b, u64 off)
{
	u32 first = b->first_row & (UNWIND_PAGE_WORDS - 1), n = b->nrows;
	u32 needle = UNWIND_ROW(off, 0xffff), found = mt->zero;
	const struct unwind_page *page;

	if (!n)
		return b->rule;
	page = env_table_page((mt->word_page + b->first_row / UNWIND_PAGE_WORDS) &
			      (TABLE_MAX_PAGES - 1));
	if (!page)
		return UNWIND_RULE_NONE;
		/* `found` counts how many of the n rows begin at or before off. */
#pragma unroll
	for (u32 step = UNWIND_PAGE_WORDS / 2; step; step >>= 1) {
		u32 probe = (found + step) & (UNWIND_PAGE_WORDS - 1);

		if (probe <= n &&
		    page->words[(first + probe - 1) & (UNWIND_PAGE_WORDS - 1)] <= needle)
			found = probe;
	}
	return found ? UNWIND_ROW_RULE(page->words[(first + found - 1) & (UNWIND_PAGE_WORDS - 1)])
		     : b->rule;
}

static __always_inline u32 find_rule(u32 module, u64 off)
{
	const struct module_table *mt = env_module_table(module);
	union unwind_block_piece piece;
	const struct unwind_page *page;
	u64 block;

	if (!mt || !mt->has_table || off < mt->base_off)
		return UNWIND_RULE_NONE;
	block = (off - mt->base_off) >> UNWIND_BLOCK_SHIFT;
	if (block >= mt->nblocks)
		return UNWIND_RULE_NONE;
	page = env_table_page(mt->block_page + (u32)(block / UNWIND_PAGE_BLOCKS));
	if (!page)
		return UNWIND_RULE_NONE;
	/* User space may be giving the block other rows. */
	piece.whole = *(const volatile u64 *)&page->whole_blocks[block & (UNWIND_PAGE_BLOCKS - 1)];
	return rule_in_block(mt, &piece.block, off);
}

/*
 * Returns the rule for a frame. Program counters repeat from sample to sample (above all those of
 * callers), so the last results are kept. A hit costs one cache line, and the search costs five. A
 * module's rows change only where nothing was known yet, which is not kept, and the salt changes
 * when its number is used again, so a result never becomes stale.
 */
static __always_inline bool rule_of(const struct stack_walk *st, u64 frame, struct unwind_rule *out)
{
	struct rule_memo *memo = env_memo(frame);
	const struct unwind_rule *rule;
	u64 salted = frame ^ st->memo_salt;

	if (memo && memo->frame == salted) {
		*out = memo->rule;
		return true;
	}
	rule = env_rule(find_rule(FRAME_MODULE(frame), FRAME_OFF(frame)));
	if (!rule)
		return false;
	*out = *rule;
	if (memo && rule->cfa != UNWIND_CFA_NONE && rule->cfa != UNWIND_CFA_LATER) {
		memo->frame = salted;
		memo->rule = *rule;
	}
	return true;
}

#endif
