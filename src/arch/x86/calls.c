/* SPDX-License-Identifier: Apache-2.0 */
/* Has the calling convention of x86-64 (System V psABI 3.2.1, 3.2.3): see calls.h. */
#include "arch/calls.h"

enum { RAX, RDX, RCX, RBX, RSI, RDI, RBP, R12 = 12, R15 = 15 }; /* psABI figure 3.36 */

const struct arch_calls arch_calls = {
	.argument = {RDI, RSI, RDX, RCX},
	.result = RAX,
	.preserved = 1u << RBX | 1u << RBP | 1u << R12 | 1u << 13 | 1u << 14 | 1u << R15,
};
