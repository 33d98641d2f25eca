/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which functions and inlined functions of a file's DWARF cover which addresses of a sorted batch:
 * what dwarf_index.c makes frames of. Trees are walked within the file's budget (BUDGET_INFO).
 */
#ifndef CPROF_SYMBOL_DWARF_SCOPES_H
#define CPROF_SYMBOL_DWARF_SCOPES_H

#include <elfutils/libdw.h>

#include "base/budget.h"
#include "base/vec.h"

#define NO_SCOPE UINT32_MAX
#define NO_UNIT UINT32_MAX

/* A function or an inlined function that covers some wanted address. */
struct dwarf_scope {
	Dwarf_Die die;
	u32 parent; /* the scope it is inlined into; NO_SCOPE: a physical function */
	u32 depth; /* scopes above it */
};

struct dwarf_unit {
	Dwarf_Die die;
	size_t first; /* of its addresses in `by_unit`; those of the next unit follow */
	bool has_ranges;
};

struct dwarf_scopes {
	const u64 *vaddrs; /* borrowed */
	size_t n;
	u32 *scope_of; /* the innermost scope of each address; NO_SCOPE: none is known */
	u32 *unit_of;
	VEC(struct dwarf_scope) scopes;
	VEC(struct dwarf_unit) units;

	/* private */
	struct budget *budget;
	u32 *by_unit; /* the addresses that have a unit, ordered by unit */
	size_t with_unit; /* how many these are */
	Dwarf_Off last; /* the last DIE entered: only later ones may follow */
	bool everywhere; /* also look into types and functions without code */
};

/*
 * Looks up `n` vaddrs, sorted upwards. When the budget ends, units that were not walked to their
 * ends are left out. 0, -ENOMEM, or -E2BIG when not even the list of units was read. Release it in
 * any case.
 */
int dwarf_scopes_init(struct dwarf_scopes *s, Dwarf *dwarf, struct budget *budget,
		      const u64 *vaddrs, size_t n) MUST_CHECK;
void dwarf_scopes_release(struct dwarf_scopes *s);

/* The unit (its DIE) of an address' function, else of the address; false: it has none. */
bool dwarf_scopes_unit(const struct dwarf_scopes *s, size_t which, Dwarf_Die *unit);

#endif
