/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C++ functions without a linkage name (static ones, those in anonymous namespaces) have only their own
 * name in DWARF; what they are called in full says the tree above them: `shop::Cart::price`.
 */
#ifndef CPROF_SYMBOL_DWARF_QUALIFY_H
#define CPROF_SYMBOL_DWARF_QUALIFY_H

#include <elfutils/libdw.h>

#include "base/budget.h"

struct dwarf_qualifier;

/* Trees are read on `budget` (BUDGET_INFO), which must outlive it. */
int dwarf_qualifier_new(struct budget *budget, struct dwarf_qualifier **out) MUST_CHECK;
void dwarf_qualifier_free(struct dwarf_qualifier *q); /* and with it all the names it gave */

/*
 * The full name of `function`, whose own name is `name`: borrowed until the qualifier is freed. NULL when there is
 * nothing to add (not C++, declared at the top) or no memory. A unit's tree is read once, at its first question.
 */
const char *dwarf_qualify(struct dwarf_qualifier *q, Dwarf_Die *function, const char *name);

#endif
