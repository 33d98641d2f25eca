/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes lines of folded stacks apart: the stack, and the one or two counts after it. A count is a
 * decimal number with or without a sign, a fraction and an exponent.
 *
 * Values of a profile are integers, so counts with fractions are multiplied by a thousand, a
 * million or a billion, all of a file by the same factor.
 */
#ifndef CPROF_FORMAT_FOLDED_COUNT_H
#define CPROF_FORMAT_FOLDED_COUNT_H

#include "base/bytes.h"

struct folded_count {
	s64 integer; /* valid if `exact` */
	long double value;
	u32 decimals; /* how many decimal places it needs; 0 for an integer */
	bool exact; /* an integer that fits */
};

struct folded_line {
	struct bytes stack; /* without blanks at its ends; never empty */
	struct folded_count counts[2]; /* in the order of the line */
	u32 ncounts;
};

enum folded_line_kind {
	FOLDED_NOTHING, /* a comment, or only blanks */
	FOLDED_NO_COUNT,
	FOLDED_STACK,
};

/* `two` allows a second count; without it, that number is part of the last frame's name. */
enum folded_line_kind folded_line_read(struct bytes text, bool two, struct folded_line *line);

/* Returns whether the text ends in a blank and what would be read as a count. */
bool folded_ends_in_count(const char *text);

/* What a factor for all counts of a file depends on. */
struct folded_scale {
	u32 decimals; /* the most of any count */
	long double sum; /* of magnitudes */
};

void folded_scale_add(struct folded_scale *s, const struct folded_count *c);
/* Returns the factor: 1 without fractions, else the smallest that keeps them, as far as all sums
 * fit. */
s64 folded_scale_pick(const struct folded_scale *s);

/* Multiplies and rounds. Returns -ERANGE if the result does not fit. */
int folded_count_value(const struct folded_count *c, s64 factor, s64 *value) MUST_CHECK;

#endif
