/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the code of a file that no function with call frame information covers. */
#ifndef CPROF_UNWIND_CODE_GAPS_H
#define CPROF_UNWIND_CODE_GAPS_H

#include "unwind/code_marks.h"
#include "unwind/function_index.h"

typedef VEC(struct code_range) code_range_vec;

/*
 * The ranges are sorted and do not overlap. Gaps that are only padding are left out. Release `out`
 * with vec_release(). Returns 0 or -ENOMEM.
 */
int code_gaps_find(struct elf_file *f, const struct function_index *index,
		   code_range_vec *out) MUST_CHECK;

#endif
