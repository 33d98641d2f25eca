/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names modules in a separate process. A library reads DWARF, from files that anybody may have
 * made: libdw ends the process if memory is short, crashes on unexpected input, and a single call
 * can take minutes. What was recorded must not be lost by that, so a forked process reads, and
 * cprof decides how long it waits.
 */
#ifndef CPROF_SYMBOL_NAMES_PROCESS_H
#define CPROF_SYMBOL_NAMES_PROCESS_H

#include "base/budget.h"
#include "base/helper_process.h"
#include "symbol/module_names.h"

struct names_process;

/* The process is forked when it is first needed, so all modules must exist by then. */
int names_process_new(struct names_process **out) MUST_CHECK;
void names_process_free(struct names_process *np); /* NULL is allowed */

/* Ends the process. Another one is forked when it is needed. */
struct helper_cost names_process_end(struct names_process *np);

/*
 * Does the work of module_names_resolve(), with `watch` on the file's budget. Returns -ETIMEDOUT,
 * or -EIO if the process ended early; in both cases some addresses were answered from symbol
 * tables, and some not at all.
 */
int names_process_resolve(struct names_process *np, struct module *m, const u64 *vaddrs, size_t n,
			  const struct budget_watch *watch, module_name_fn found, void *arg,
			  struct module_names_info *info) MUST_CHECK;

#endif
