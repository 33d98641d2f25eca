/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Names the registers of x86-64 for BPF programs and for user space: x86-64 psABI, figure 3.36. */
#ifndef CPROF_BPF_ARCH_X86_REGS_H
#define CPROF_BPF_ARCH_X86_REGS_H

#define ARCH_USER_REGS 16 /* general registers, by DWARF number */

#define ARCH_DWARF_CALLEE 3 /* rbx: the register that walks track besides the frame pointer */
#define ARCH_DWARF_FP 6 /* rbp */
#define ARCH_DWARF_SP 7 /* rsp */
#define ARCH_CALL_FRAME 8 /* bytes between sp and the CFA where a function begins */
#define ARCH_DWARF_RA 16 /* the column of the return address */

/* These are places in struct pt_regs (arch/x86/include/asm/ptrace.h), in words, of the first three
 * arguments of a function. */
#define ARCH_WORD_ARG0 14 /* rdi */
#define ARCH_WORD_ARG1 13 /* rsi */
#define ARCH_WORD_ARG2 12 /* rdx */
#define ARCH_WORD_NONE 0xff

/* what is read of a signal frame: the general registers of struct sigcontext and rip */
#define ARCH_SIGNAL_WORDS 17
/* where the stack pointer is saved in it, from the handler's own one after its return */
#define ARCH_SIGNAL_SP_OFF 160

#define ARCH_USER_MAX 0x00ffffffffffffffull /* no address of user code is above this */

#endif
