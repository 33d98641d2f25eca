/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C++ functions without a linkage name (static ones, those in anonymous namespaces) have only their
 * own name in DWARF. Their full name, such as `shop::Cart::price`, follows from the tree above
 * them.
 */
#ifndef CPROF_SYMBOL_DWARF_QUALIFY_H
#define CPROF_SYMBOL_DWARF_QUALIFY_H

#include <elfutils/libdw.h>

#include "base/budget.h"
#include "symbol/split_units.h"

struct dwarf_qualifier;

/* Trees are read on `budget` (BUDGET_INFO). It and `splits` (or NULL) must outlive it. */
int dwarf_qualifier_new(struct budget *budget, const struct split_units *splits,
			struct dwarf_qualifier **out) MUST_CHECK;
void dwarf_qualifier_free(struct dwarf_qualifier *q); /* also frees all the names it gave */

/*
 * Returns the full name of `function`, whose own name is `name`, borrowed until the qualifier is
 * freed. It is NULL if there is nothing to add (not C++, or declared at the top) or memory is
 * short. The tree of a unit is read once, at the first lookup.
 */
const char *dwarf_qualify(struct dwarf_qualifier *q, Dwarf_Die *function, const char *name);

#endif
