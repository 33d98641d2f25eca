/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the functions in the code of a file that no call frame information covers, and what leads
 * from them to their callers (code_flow.h): hand-written assembly, a C library that was compiled
 * without such information, stubs that a linker made.
 *
 * Symbols say where functions begin. Where there are none, calls, addresses in the code and in data
 * do, and last the first instruction behind padding.
 */
#ifndef CPROF_UNWIND_CODE_ROWS_H
#define CPROF_UNWIND_CODE_ROWS_H

#include "unwind/code_flow.h"
#include "unwind/function_index.h"

/*
 * `debug` may be NULL; its symbols are used. The result is NULL if everything is covered, or if the
 * code is for another processor. It borrows `f`. Returns 0, -ENOMEM or -E2BIG.
 */
int code_rows_new(struct elf_file *f, struct elf_file *debug, const struct function_index *index,
		  struct code_flow **out) MUST_CHECK;

/* Does the same for given ranges. */
int code_rows_find(struct elf_file *f, struct elf_file *debug, const struct code_range *ranges,
		   size_t n, struct code_flow **out) MUST_CHECK;

#endif
