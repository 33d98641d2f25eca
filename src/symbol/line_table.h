/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the source lines of many addresses with one line number program (DWARF 5 section 6.2;
 * versions 2 to 5).
 *
 * libdw uses 150 bytes for each row before the first address is looked up, and a row takes a single
 * byte in the file, so 60 MB of them would take 6 GB and most of a minute. Here the program is run
 * once for all wanted addresses of its unit, and only rows that cover one of them are kept.
 */
#ifndef CPROF_SYMBOL_LINE_TABLE_H
#define CPROF_SYMBOL_LINE_TABLE_H

#include "base/budget.h"
#include "base/bytes.h"

struct line_sections { /* of one file; borrowed */
	struct bytes line; /* .debug_line */
	/* up to where every string is terminated: elf_terminated() */
	struct bytes line_str, str, alt_str;
};

struct line_row { /* describes what covers one address */
	u64 start; /* start of the row */
	u32 file; /* for line_table_file() */
	u32 line; /* 0 if unknown */
	bool found;
};

struct line_table;

/*
 * Reads the header at `offset` of .debug_line. `s` and `budget` (BUDGET_LINES) must outlive the
 * table. Returns -EBADMSG, -E2BIG if the budget ran out, or -ENOMEM.
 */
int line_table_new(const struct line_sections *s, u64 offset, struct budget *budget,
		   struct line_table **out) MUST_CHECK;
void line_table_free(struct line_table *t); /* NULL is allowed */

/*
 * Runs the program for `n` vaddrs in ascending order; rows[i] belongs to vaddrs[i]. If rows
 * overlap, the one that begins last is used. If the budget runs out, the rows found until then are
 * set.
 */
void line_table_find(const struct line_table *t, const u64 *vaddrs, size_t n,
		     struct line_row *rows);

/*
 * Returns the path of a file, borrowed until the table is freed; NULL if unknown. A relative path
 * is relative to the unit's directory (DW_AT_comp_dir).
 */
const char *line_table_file(struct line_table *t, u64 number);

#endif
