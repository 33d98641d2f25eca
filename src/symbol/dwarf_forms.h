/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads attributes of DIEs in the program and in split units (split_units.h). libdw reads those of
 * the program. In a split unit, strings, addresses and ranges are numbers of entries in sections
 * that libdw does not have (DWARF 5, section 7.3.2), and are read here. `splits` may be NULL if
 * there are none.
 */
#ifndef CPROF_SYMBOL_DWARF_FORMS_H
#define CPROF_SYMBOL_DWARF_FORMS_H

#include "symbol/split_units.h"

/* Follows DW_AT_abstract_origin or DW_AT_specification. Returns false if the DIE has neither. */
bool dwarf_forms_follow(const struct split_units *splits, Dwarf_Die *die, Dwarf_Die *to);

/* Finds an attribute of a DIE, or of those that it refers to. */
bool dwarf_forms_attr(const struct split_units *splits, const Dwarf_Die *die, unsigned int name,
		      Dwarf_Attribute *attr);

/* Returns the text of an attribute, borrowed; NULL if there is none. */
const char *dwarf_forms_text(const struct split_units *splits, const Dwarf_Die *die,
			     unsigned int name);

/* Gives the first address of a DIE, which DW_AT_low_pc says. */
bool dwarf_forms_low_pc(const struct split_units *splits, Dwarf_Die *die, u64 *address);

/* The ranges of addresses that a DIE covers, one after the other. */
struct die_ranges {
	struct budget *budget;
	Dwarf_Die *die;
	const struct split_unit *split; /* NULL for a DIE of the program */
	const struct dwarf_file *file;
	ptrdiff_t at; /* for libdw */
	/* of a split unit: */
	bool single; /* the DIE has one range, which is not told yet */
	u64 single_start, single_end;
	struct cursor list; /* else its list; empty if there is none */
	u64 base; /* of offsets in the list */
};

void die_ranges_begin(struct die_ranges *r, const struct split_units *splits, struct budget *budget,
		      Dwarf_Die *die);
/* Returns 1 with the next range, which may be empty; 0 at the end; or -E2BIG (BUDGET_INFO). */
int die_ranges_next(struct die_ranges *r, u64 *start, u64 *end);

#endif
