/* SPDX-License-Identifier: Apache-2.0 */
/* Programs whose tables are compiled, for the tests of rows. */
#ifndef CPROF_TESTS_ROWS_FIXTURE_H
#define CPROF_TESTS_ROWS_FIXTURE_H

#include "unwind/rows.h"

extern struct unwind_rule rows_rules[UNWIND_MAX_RULES]; /* of every set that is made here */
extern const char rows_big_frame[]; /* a program with a frame of more than 32 KiB */

struct rows_module {
	struct elf_file *f;
	struct rule_set *set;
	struct rows *rows;
};

/* Skips the case if there is no such file. */
struct rows_module rows_module_open(const char *path);
/* Writes `source` to a file `name` in the fixture's directory, and opens the `t` that `command`
 * makes from it. */
struct rows_module rows_module_build(const char *name, const char *source, const char *command);
void rows_module_close(struct rows_module *m);
/* Checks what the kernel relies on. */
void rows_check_layout(const struct rows *r);

#endif
