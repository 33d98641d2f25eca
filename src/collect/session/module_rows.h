/* SPDX-License-Identifier: Apache-2.0 */
/* A module's unwind rows, from its own call frame information or its separate debug file's. */
#ifndef CPROF_COLLECT_MODULE_ROWS_H
#define CPROF_COLLECT_MODULE_ROWS_H

#include "target/module.h"
#include "unwind/rows.h"

/* Compiled by itself, in any thread: the rules have numbers of their own. */
struct module_rows {
	struct rows *rows; /* NULL: none */
	struct unwind_rule *rules;
	u32 nrules;
};

/* 0, -ENOEXEC (no ELF), or as rows_build(). Release it, also when it fails. */
int module_rows_compile(const struct module *m, struct module_rows *out) MUST_CHECK;
void module_rows_release(struct module_rows *r);

/*
 * Takes the rows out, numbered as those of `set` are. *out is the caller's. 0 or -ENOMEM.
 */
int module_rows_join(struct module_rows *r, struct rule_set *set, struct rows **out) MUST_CHECK;

/* Both in one step. */
int module_rows_build(const struct module *m, struct rule_set *set, struct rows **out) MUST_CHECK;

#endif
