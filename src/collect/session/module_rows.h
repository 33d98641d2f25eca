/* SPDX-License-Identifier: Apache-2.0 */
/* Builds a module's unwind rows from its own call frame information, or from that of its separate
 * debug file. */
#ifndef CPROF_COLLECT_MODULE_ROWS_H
#define CPROF_COLLECT_MODULE_ROWS_H

#include "target/module.h"
#include "unwind/code_met.h"
#include "unwind/rows.h"

/* Compiled separately, in any thread, so the rules have their own numbers. */
struct module_rows {
	struct rows *rows; /* NULL if there are none */
	struct unwind_rule *rules;
	u32 nrules;
};

/*
 * Code without call frame information is left for later if the file allows that. Returns 0,
 * -ENOEXEC (not an ELF file), or an error of rows_build(). Release it, also after a failure.
 */
int module_rows_compile(const struct module *m, struct module_rows *out) MUST_CHECK;
void module_rows_release(struct module_rows *r);

/*
 * Takes the rows out, numbered like those of `set`. The caller owns *out. Returns 0 or -ENOMEM.
 */
int module_rows_join(struct module_rows *r, struct rule_set *set, struct rows **out) MUST_CHECK;

/*
 * Opens the file once more, to follow the code that was left for later. Returns 0 or a negative
 * errno.
 */
int module_rows_code(const struct module *m, struct code_met **out) MUST_CHECK;
/* Returns whether the module's rows may have UNWIND_RULE_LATER. */
bool module_rows_has_later(const struct module *m);

/* Does both in one step. */
int module_rows_build(const struct module *m, struct rule_set *set, struct rows **out) MUST_CHECK;

#endif
