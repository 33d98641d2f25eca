/* SPDX-License-Identifier: Apache-2.0 */
/* Reads each line table that units of DWARF refer to once. */
#ifndef CPROF_SYMBOL_DWARF_LINES_H
#define CPROF_SYMBOL_DWARF_LINES_H

#include "symbol/split_units.h"

struct dwarf_lines;

/* `splits` may be NULL. */
int dwarf_lines_new(const struct dwarf_file *file, const struct split_units *splits,
		    struct dwarf_lines **out) MUST_CHECK;
void dwarf_lines_free(struct dwarf_lines *l); /* NULL is allowed; all paths are freed with it */

/*
 * Returns the table of a unit (its DIE), which for a split unit is that of its skeleton; borrowed.
 * It is NULL if the unit has none, if it is broken, or if memory or the budget (BUDGET_LINES) ran
 * out.
 */
struct line_table *dwarf_lines_of(struct dwarf_lines *l, Dwarf_Die *unit);

/*
 * Returns the file whose number is the attribute `name` (DW_AT_decl_file, DW_AT_call_file) of a DIE
 * or of the DIE it refers to; NULL if unknown. The path is the one that line_table_file() gives.
 */
const char *dwarf_lines_file(struct dwarf_lines *l, Dwarf_Die *die, unsigned int name);

#endif
