/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of modules in a process of their own. DWARF is read by a library, from files that anybody may have made:
 * libdw ends the process when memory is short, crashes on what it does not expect, and a single call can take
 * minutes. What was recorded must not be lost by that, so a fork reads, and cprof waits for as long as it likes.
 */
#ifndef CPROF_SYMBOL_NAMES_PROCESS_H
#define CPROF_SYMBOL_NAMES_PROCESS_H

#include "base/budget.h"
#include "symbol/module_names.h"

struct names_process;

/* The process is forked when it is first needed: all modules must be there by then. */
int names_process_new(struct names_process **out) MUST_CHECK;
void names_process_free(struct names_process *np); /* NULL is fine */

struct names_cost { /* of the processes that have ended */
	u64 cpu_ns;
	u64 memory_kb; /* of the largest one, with what it has in common with cprof */
};

/* Ends the process: another one will be forked when it is needed. */
struct names_cost names_process_end(struct names_process *np);

/*
 * As module_names_resolve(), with `watch` on the file's budget. -ETIMEDOUT, or -EIO when the process ended before its
 * time: then addresses have been answered from symbol tables, and some not at all.
 */
int names_process_resolve(struct names_process *np, struct module *m, const u64 *vaddrs, size_t n,
			  const struct budget_watch *watch, module_name_fn found, void *arg,
			  struct module_names_info *info) MUST_CHECK;

#endif
