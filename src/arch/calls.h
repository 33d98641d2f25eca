/* SPDX-License-Identifier: Apache-2.0 */
/* Says how functions are called: where arguments and results are. Registers are DWARF numbers. */
#ifndef CPROF_ARCH_CALLS_H
#define CPROF_ARCH_CALLS_H

#include "base/types.h"

#define ARCH_ARGUMENTS 4 /* those that cprof may need */

struct arch_calls {
	u8 argument[ARCH_ARGUMENTS]; /* the registers of the first ones, if they are integers */
	u8 result;
	u32 preserved; /* the set of registers that a call leaves as they are */
};

extern const struct arch_calls arch_calls;

#endif
