/* SPDX-License-Identifier: Apache-2.0 */
/* Recognizes what the kernel writes into code for a probe. */
#ifndef CPROF_ARCH_BREAKPOINT_H
#define CPROF_ARCH_BREAKPOINT_H

#include "base/bytes.h"

#define ARCH_PROBE_BYTES_MAX 8 /* for reading; no probe replaces more */

/* The code that some kernels make probes call instead of a breakpoint. */
struct probe_trampoline {
	u64 start, end; /* both are 0 if there is none */
};

/* Returns how many bytes of `code`, which is at `address`, a probe has replaced; 0 if none. */
u32 arch_probe_bytes(struct bytes code, u64 address, const struct probe_trampoline *trampoline);

/* Does the same if `was` are the bytes of the file, of which there are as many. A probe does not
 * replace just any instruction by a call. */
u32 arch_probe_replaced(struct bytes code, const u8 *was, u64 address,
			const struct probe_trampoline *trampoline);

#endif
