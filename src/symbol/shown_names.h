/* SPDX-License-Identifier: Apache-2.0 */
/* What linkage names are shown as: a name is demangled once, however often it is inlined. */
#ifndef CPROF_SYMBOL_SHOWN_NAMES_H
#define CPROF_SYMBOL_SHOWN_NAMES_H

#include "base/budget.h"

struct shown_names;

int shown_names_new(struct shown_names **out) MUST_CHECK;
void shown_names_free(struct shown_names *names); /* NULL is fine */

/*
 * What `raw` is shown as, borrowed until the names are freed; `raw` itself when nothing better is
 * known. NULL: `raw` is new, and `budget` (BUDGET_NAMES) does not allow the memory for it, here and
 * in a profile.
 */
const char *shown_names_get(struct shown_names *names, struct budget *budget, const char *raw);

#endif
