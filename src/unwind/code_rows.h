/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the functions in the code of a file that no call frame information covers, and what leads
 * from them to their callers (code_flow.h): hand-written assembly, a C library that was compiled
 * without such information, stubs that a linker made. They begin where code_starts.h says, and last
 * at the first instruction behind padding.
 */
#ifndef CPROF_UNWIND_CODE_ROWS_H
#define CPROF_UNWIND_CODE_ROWS_H

#include "unwind/code_flow.h"
#include "unwind/code_starts.h"
#include "unwind/function_index.h"

/*
 * `debug` may be NULL; its symbols are used. The result is NULL if everything is covered, or if the
 * code is for another processor. It borrows `f`. Returns 0, -ENOMEM or -E2BIG.
 */
int code_rows_new(struct elf_file *f, struct elf_file *debug, const struct function_index *index,
		  struct code_flow **out) MUST_CHECK;

/* Follows everything in the ranges, which `flow` has, from these functions on. */
void code_rows_follow(struct code_flow *flow, struct file_image *image, struct budget *budget,
		      const code_start_vec *starts, const struct code_range *ranges, size_t n);

/* Follows functions of [range) that nothing leads to: they begin where the range begins, or behind
 * the padding of another one. */
void code_rows_follow_rest(struct code_flow *flow, struct file_image *image, struct budget *budget,
			   const struct code_range *range);

/* Does the same for given ranges. */
int code_rows_find(struct elf_file *f, struct elf_file *debug, const struct code_range *ranges,
		   size_t n, struct code_flow **out) MUST_CHECK;

#endif
