/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of one module in a thread of their own. Budgets end what cprof's own readers do within
 * milliseconds, but a single call of a library can take minutes on a file that was made for it, and
 * nothing can end that call. So it is left to itself when it does not come back in time.
 */
#ifndef CPROF_SYMBOL_NAMES_THREAD_H
#define CPROF_SYMBOL_NAMES_THREAD_H

#include "base/budget.h"
#include "symbol/module_names.h"

/*
 * As module_names_resolve(), with `watch` on the file's budget. `found` is called by the other
 * thread, but only while this one waits. -ETIMEDOUT: some addresses were not answered, and `m` has
 * lost its file and root to the thread, which may go on until the process ends.
 */
int names_thread_resolve(struct module *m, const u64 *vaddrs, size_t n,
			 const struct budget_watch *watch, module_name_fn found, void *arg,
			 struct module_names_info *info) MUST_CHECK;

#endif
