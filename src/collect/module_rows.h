/* SPDX-License-Identifier: Apache-2.0 */
/* A module's unwind rows, from its own call frame information or its separate debug file's. */
#ifndef CPROF_COLLECT_MODULE_ROWS_H
#define CPROF_COLLECT_MODULE_ROWS_H

#include "target/module.h"
#include "unwind/rows.h"

/* 0, -ENOEXEC (no ELF), or as rows_build(). */
int module_rows_build(const struct module *m, struct rule_set *set, struct rows **out) MUST_CHECK;

#endif
