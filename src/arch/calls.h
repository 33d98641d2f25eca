/* SPDX-License-Identifier: Apache-2.0 */
/* Says how functions are called: where arguments and results are. Registers are DWARF numbers. */
#ifndef CPROF_ARCH_CALLS_H
#define CPROF_ARCH_CALLS_H

#include "base/bytes.h"

#define ARCH_ARGUMENTS 4 /* those that cprof may need */

struct arch_calls {
	u8 argument[ARCH_ARGUMENTS]; /* the registers of the first ones, if they are integers */
	u8 result;
	u32 preserved; /* the set of registers that a call leaves as they are */
};

extern const struct arch_calls arch_calls;

/*
 * Matches instructions, right after a call, that make its result the first argument of a direct
 * call. `code` begins there, at `vaddr`. Returns the length of them and of that call, and gives its
 * target; 0 if they do something else.
 */
u32 arch_passes_on_result(struct bytes code, u64 vaddr, u64 *target);

/* Matches a function that does nothing but return a number of 32 bits. */
bool arch_returns_constant(struct bytes function, u32 *value);

#endif
