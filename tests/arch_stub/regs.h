/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Stands in for a folder of bpf/arch/ that does not exist, so that everything else can be compiled
 * for that architecture. It has every name that such a folder provides, and no meaning.
 */
#ifndef CPROF_ARCH_STUB_REGS_H
#define CPROF_ARCH_STUB_REGS_H

#define ARCH_USER_REGS 32 /* a power of two */
#define ARCH_SIGNAL_WORDS 34
#define ARCH_SIGNAL_SP_OFF 552
#define ARCH_DWARF_CALLEE 19
#define ARCH_DWARF_FP 29
#define ARCH_DWARF_SP 31
#define ARCH_DWARF_RA 30
#define ARCH_CALL_FRAME 0
#define ARCH_WORD_ARG0 0
#define ARCH_WORD_ARG1 1
#define ARCH_WORD_ARG2 2
#define ARCH_WORD_NONE 0xff
#define ARCH_USER_MAX 0x0000ffffffffffffull

#endif
