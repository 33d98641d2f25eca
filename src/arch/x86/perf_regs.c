/* SPDX-License-Identifier: Apache-2.0 */
/* Has the registers in perf samples of x86-64 (asm/perf_regs.h: bit numbers): see perf_regs.h. */
#include "arch/perf_regs.h"

/* The places in a sample, in the order of the bits: ax bx cx dx si di bp sp ip, r8 to r15. */
enum place { AX, BX, CX, DX, SI, DI, BP, SP, IP, R8 };

const u64 arch_perf_regs = 0x1ffull | 0xffull << 16;

/* Converts that order to DWARF's (psABI figure 3.36). */
void arch_take_perf_regs(struct user_regs *to, const u64 regs[ARCH_PERF_REGS_MAX])
{
	static const u8 dwarf[IP] = {
		[AX] = 0, [DX] = 1, [CX] = 2, [BX] = 3, [SI] = 4, [DI] = 5, [BP] = 6, [SP] = 7,
	};

	for (int i = 0; i < IP; i++)
		to->by_dwarf[dwarf[i]] = regs[i];
	for (int i = 0; i < 8; i++)
		to->by_dwarf[8 + i] = regs[R8 + i];
	to->pc = regs[IP];
	to->sp = regs[SP];
	to->fp = regs[BP];
	to->callee = regs[BX];
	to->known = to->callee_known = 1;
	to->exact = 1;
}
