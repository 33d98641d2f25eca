/* SPDX-License-Identifier: Apache-2.0 */
/* The line tables that units of DWARF refer to, each read once. */
#ifndef CPROF_SYMBOL_DWARF_LINES_H
#define CPROF_SYMBOL_DWARF_LINES_H

#include "symbol/dwarf_file.h"

struct dwarf_lines;

int dwarf_lines_new(const struct dwarf_file *file, struct dwarf_lines **out) MUST_CHECK;
void dwarf_lines_free(struct dwarf_lines *l); /* NULL is fine; and with it all paths */

/*
 * The table of a unit (its DIE); borrowed. NULL: the unit has none, it is broken, or memory or the
 * budget (BUDGET_LINES) ended.
 */
struct line_table *dwarf_lines_of(struct dwarf_lines *l, Dwarf_Die *unit);

/*
 * The file whose number is the attribute `name` (DW_AT_decl_file, DW_AT_call_file) of a DIE or of
 * what it refers to; NULL: unknown. A path as line_table_file() gives it.
 */
const char *dwarf_lines_file(struct dwarf_lines *l, Dwarf_Die *die, unsigned int name);

#endif
