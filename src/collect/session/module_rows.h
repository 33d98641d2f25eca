/* SPDX-License-Identifier: Apache-2.0 */
/* Builds a module's unwind rows from its own call frame information, or from that of its separate
 * debug file. */
#ifndef CPROF_COLLECT_MODULE_ROWS_H
#define CPROF_COLLECT_MODULE_ROWS_H

#include "target/module.h"
#include "unwind/rows.h"

/* Compiled separately, in any thread, so the rules have their own numbers. */
struct module_rows {
	struct rows *rows; /* NULL if there are none */
	struct unwind_rule *rules;
	u32 nrules;
};

/* Returns 0, -ENOEXEC (not an ELF file), or an error of rows_build(). Release it, also after a
 * failure. */
int module_rows_compile(const struct module *m, struct module_rows *out) MUST_CHECK;
void module_rows_release(struct module_rows *r);

/*
 * Takes the rows out, numbered like those of `set`. The caller owns *out. Returns 0 or -ENOMEM.
 */
int module_rows_join(struct module_rows *r, struct rule_set *set, struct rows **out) MUST_CHECK;

/* Does both in one step. */
int module_rows_build(const struct module *m, struct rule_set *set, struct rows **out) MUST_CHECK;

#endif
