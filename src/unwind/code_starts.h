/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds where functions begin in code that no call frame information covers. Symbols say so. Where
 * there are none, calls, and addresses in the code and in data do.
 */
#ifndef CPROF_UNWIND_CODE_STARTS_H
#define CPROF_UNWIND_CODE_STARTS_H

#include "base/vec.h"
#include "unwind/code_flow.h"

typedef VEC(struct code_start_at) code_start_vec;

/*
 * Gives those in `ranges`, which are sorted, by address. `debug` (may be NULL) is the separate
 * debug file, whose symbols are used as well. Release `out` with vec_release(). Returns 0 or
 * -ENOMEM.
 */
int code_starts_find(struct elf_file *f, struct elf_file *debug, struct file_image *image,
		     const struct code_range *ranges, size_t n, code_start_vec *out) MUST_CHECK;

#endif
