/* SPDX-License-Identifier: Apache-2.0 */
/* What a summary says about files that were not read completely. */
#include <stdio.h>
#include <string.h>

#include "symbol/left_out.h"
#include "unit.h"

TEST(left_out, names_three_parts_and_counts_the_others)
{
	struct left_out l = {0};
	char text[LEFT_OUT_TEXT];
	struct budget b;

	left_out_text(&l, text, sizeof(text));
	CHECK_STR(text, "");
	budget_init(&b, 0);
	left_out_note(&l, "libgood.so", &b);
	left_out_text(&l, text, sizeof(text));
	CHECK_STR(text, "");
	budget_lose(&b, BUDGET_LINES, BUDGET_STEPS);
	budget_lose(&b, BUDGET_SYMBOLS, BUDGET_BYTES);
	left_out_note(&l, "libx.so", &b);
	left_out_text(&l, text, sizeof(text));
	CHECK_STR(text, "symbol table of libx.so (it needs too much memory), line table of libx.so "
			"(too large)");
	left_out_add(&l, "y", BUDGET_NAMES, BUDGET_TIME);
	left_out_add(&l, "z", BUDGET_NAMES, BUDGET_TIME);
	left_out_note(&l, "libx.so", &b);
	left_out_text(&l, text, sizeof(text));
	CHECK_STR(text, "symbol table of libx.so (it needs too much memory), line table of libx.so "
			"(too large), names of y (it takes too long) and 3 more");
}

TEST(left_out, what_was_interrupted_is_not_too_large)
{
	struct left_out l = {0};
	struct budget b;

	budget_init(&b, 0);
	budget_lose(&b, BUDGET_INFO, BUDGET_STOPPED);
	left_out_note(&l, "libx.so", &b);
	CHECK_INT(l.parts, 0);
}

TEST(left_out, fits_whatever_files_are_called)
{
	char name[4096], text[LEFT_OUT_TEXT], small[20];
	struct left_out l = {0};

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (int i = 0; i < 10; i++)
		left_out_add(&l, name, BUDGET_GO, BUDGET_BYTES);
	left_out_text(&l, text, sizeof(text));
	CHECK_STR(text + strlen(text) - strlen(" and 7 more"), " and 7 more");
	left_out_text(&l, small, sizeof(small));
	CHECK_INT(strlen(small), sizeof(small) - 1);
}
