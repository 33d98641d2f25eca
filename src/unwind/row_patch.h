/* SPDX-License-Identifier: Apache-2.0 */
/* Gives a block of finished tables other rows where its code had been left for later. */
#ifndef CPROF_UNWIND_ROW_PATCH_H
#define CPROF_UNWIND_ROW_PATCH_H

#include "unwind/rows.h"

struct numbered_row {
	u64 off; /* in the file */
	u32 rule;
};

/* Applies to [start, end), by rows of which the first is at `start`. */
struct row_patch {
	u64 start, end;
	const struct numbered_row *rows;
	size_t n;
};

struct block_rows {
	u32 rule; /* at the block's first byte */
	u32 n;
	u32 words[UNWIND_PAGE_WORDS];
};

/*
 * Makes the rows of the block that begins at `off` of the file: those of `patch` where the present
 * ones are UNWIND_RULE_LATER, and the present ones elsewhere. `words` are those of the block.
 * Returns false if nothing is different.
 */
bool row_patch_block(const struct row_patch *patch, u64 off, const struct unwind_block *block,
		     const u32 *words, struct block_rows *out);

#endif
