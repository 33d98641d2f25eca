/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The source lines of many addresses from one line number program (DWARF 5 section 6.2; versions 2
 * to 5).
 *
 * libdw makes 150 bytes of each row before the first address is looked up, and a row takes a single
 * byte in the file: 60 MB of them would take 6 GB and most of a minute. Here the program is run
 * once for all wanted addresses of its unit, and no row is kept that covers none of them.
 */
#ifndef CPROF_SYMBOL_LINE_TABLE_H
#define CPROF_SYMBOL_LINE_TABLE_H

#include "base/budget.h"
#include "base/bytes.h"

struct line_sections { /* of one file; borrowed */
	struct bytes line; /* .debug_line */
	struct bytes line_str, str, alt_str; /* as far as every string ends: elf_terminated() */
};

struct line_row { /* what covers one address */
	u64 start; /* of the row */
	u32 file; /* for line_table_file() */
	u32 line; /* 0: unknown */
	bool found;
};

struct line_table;

/*
 * Reads the header at `offset` of .debug_line. `s` and `budget` (BUDGET_LINES) must outlive the
 * table. -EBADMSG; -E2BIG when the budget ended; -ENOMEM.
 */
int line_table_new(const struct line_sections *s, u64 offset, struct budget *budget,
		   struct line_table **out) MUST_CHECK;
void line_table_free(struct line_table *t); /* NULL is fine */

/*
 * Runs the program for `n` vaddrs, sorted upwards; rows[i] is for vaddrs[i]. Of rows that overlap,
 * the one that begins last is meant. When the budget ends, the rows that were met until then are
 * there.
 */
void line_table_find(const struct line_table *t, const u64 *vaddrs, size_t n,
		     struct line_row *rows);

/*
 * The path of a file, borrowed until the table is freed; NULL: unknown. One that is not absolute
 * counts from the unit's directory (DW_AT_comp_dir).
 */
const char *line_table_file(struct line_table *t, u64 number);

#endif
