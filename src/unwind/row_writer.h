/* SPDX-License-Identifier: Apache-2.0 */
/* Lays out rows as bpf/shared/rows.h describes, from pairs of (file offset, rule) in ascending
 * order. */
#ifndef CPROF_UNWIND_ROW_WRITER_H
#define CPROF_UNWIND_ROW_WRITER_H

#include "base/vec.h"
#include "unwind/rows.h"

struct row_writer {
	struct rows *rows; /* base_off, blocks and nblocks are set; the rest is filled in */
	VEC(u32) words;
	u32 pending[UNWIND_PAGE_WORDS]; /* rows of the current block */
	u32 npending;
	u32 block, block_rule;
	u32 rule; /* the rule that holds after the last row written */
	u64 held_off; /* the newest row; a later one at the same offset replaces it */
	u32 held_rule;
};

/* Allocates the directory for [start, end). Returns 0, -ENOMEM or -E2BIG. */
int row_writer_init(struct row_writer *w, struct rows *rows, u64 start, u64 end) MUST_CHECK;
/* Makes `rule` apply from `off` on. An offset before the last one counts as the last one. */
int row_writer_put(struct row_writer *w, u64 off, u32 rule) MUST_CHECK;
/* Writes the rest and hands the tables over to the rows. */
int row_writer_finish(struct row_writer *w) MUST_CHECK;
void row_writer_release(struct row_writer *w);

#endif
