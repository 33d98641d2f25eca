/* SPDX-License-Identifier: Apache-2.0 */
/* Records what was not read of the files that names come from, because it would have cost more than
 * their budget. */
#ifndef CPROF_SYMBOL_LEFT_OUT_H
#define CPROF_SYMBOL_LEFT_OUT_H

#include "base/budget.h"

#define LEFT_OUT_LISTED 3
#define LEFT_OUT_ITEM 160
#define LEFT_OUT_TEXT (LEFT_OUT_LISTED * LEFT_OUT_ITEM + 40) /* enough for left_out_text() */

struct left_out {
	u32 parts; /* in all files */
	/* The first ones, such as "line table of libx.so (too large)". */
	char listed[LEFT_OUT_LISTED][LEFT_OUT_ITEM];
};

/*
 * Records what the budget of `file` did not allow. What a caller interrupted is not counted.
 */
void left_out_note(struct left_out *l, const char *file, const struct budget *b);

/* Does the same for one part. */
void left_out_add(struct left_out *l, const char *file, enum budget_part part, enum budget_end end);

/* Writes "line table of libx.so (too large), names of y (too large) and 4 more", or "" if
 * everything was read. */
void left_out_text(const struct left_out *l, char *out, size_t size);

#endif
