/* SPDX-License-Identifier: Apache-2.0 */
/* Says what call frame information takes for granted: the ABI's state at the start of a
 * function. */
#ifndef CPROF_ARCH_CALL_FRAMES_H
#define CPROF_ARCH_CALL_FRAMES_H

#include "base/types.h"

struct arch_entry_frame {
	s64 cfa_off; /* of the CFA from the stack pointer */
	bool ra_in_register; /* the return address is in the register of its own column */
	s64 ra_off; /* otherwise it is in memory, at this offset from the CFA */
};

extern const struct arch_entry_frame arch_entry_frame;

#endif
