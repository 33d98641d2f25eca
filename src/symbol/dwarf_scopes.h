/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds which functions and inlined functions in a file's DWARF cover which addresses of a sorted
 * batch; dwarf_index.c makes frames of them. Trees are walked within the file's budget
 * (BUDGET_INFO).
 */
#ifndef CPROF_SYMBOL_DWARF_SCOPES_H
#define CPROF_SYMBOL_DWARF_SCOPES_H

#include <elfutils/libdw.h>

#include "base/budget.h"
#include "base/vec.h"
#include "symbol/split_units.h"

#define NO_SCOPE UINT32_MAX
#define NO_UNIT UINT32_MAX

/* A function or an inlined function that covers some wanted address. */
struct dwarf_scope {
	Dwarf_Die die;
	u32 parent; /* the scope it is inlined into; NO_SCOPE for a physical function */
	u32 depth; /* number of scopes above it */
};

struct dwarf_unit {
	Dwarf_Die die;
	size_t first; /* start of its addresses in `by_unit`; those of the next unit follow */
	bool has_ranges;
	u32 split; /* number of its split unit, which has the tree; or NO_SPLIT */
};

struct dwarf_scopes {
	const u64 *vaddrs; /* borrowed */
	size_t n;
	u32 *scope_of; /* the innermost scope of each address; NO_SCOPE if none is known */
	u32 *unit_of;
	VEC(struct dwarf_scope) scopes;
	VEC(struct dwarf_unit) units;
	bool damaged; /* a unit was not readable, so those behind it are not known */

	/* private */
	struct budget *budget;
	struct split_units *splits; /* borrowed; NULL if there are none */
	u32 *by_unit; /* the addresses that have a unit, sorted by unit */
	size_t with_unit; /* number of those addresses */
	Dwarf_Off last; /* the last DIE entered; only later ones may follow */
	bool everywhere; /* also search in types and functions without code */
};

/*
 * Looks up `n` vaddrs in ascending order, and opens those split units in `splits` (or NULL) that
 * may have some of them. If the budget runs out, units that were not walked
 * completely are left out. Returns 0, -ENOMEM, or -E2BIG if not even the list of units was read.
 * Release it in any case.
 */
int dwarf_scopes_init(struct dwarf_scopes *s, Dwarf *dwarf, struct split_units *splits,
		      struct budget *budget, const u64 *vaddrs, size_t n) MUST_CHECK;
void dwarf_scopes_release(struct dwarf_scopes *s);

/*
 * Gives the unit (its DIE) in the program of an address' function, or else of the address; false if
 * it has none.
 */
bool dwarf_scopes_unit(const struct dwarf_scopes *s, size_t which, Dwarf_Die *unit);

#endif
