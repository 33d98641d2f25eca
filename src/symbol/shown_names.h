/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the shown form of linkage names, so that each is demangled once, however often it is
 * inlined. */
#ifndef CPROF_SYMBOL_SHOWN_NAMES_H
#define CPROF_SYMBOL_SHOWN_NAMES_H

#include "base/budget.h"
#include "base/helper_process.h"

struct shown_names;

int shown_names_new(struct shown_names **out) MUST_CHECK;
void shown_names_free(struct shown_names *names); /* NULL is allowed */

struct helper_cost shown_names_cost(struct shown_names *names);

/*
 * Returns the shown form of `raw`, borrowed until the names are freed, or `raw` itself if nothing
 * better is known. NULL means that `raw` is new, and `budget` (BUDGET_NAMES) does not allow the
 * memory for it, here and in a profile.
 */
const char *shown_names_get(struct shown_names *names, struct budget *budget, const char *raw);

#endif
