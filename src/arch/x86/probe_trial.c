/* SPDX-License-Identifier: Apache-2.0 */
/* Has the functions on which the cost of probes is measured: see probe_trial.h. */
#include "arch/probe_trial.h"

/*
 * Every kernel since 4.18 emulates a push (arch/x86/kernel/uprobes.c, push_setup_xol_ops). None
 * emulates a subtraction.
 */
__asm__(".pushsection .text\n"
	".globl arch_trial_emulated\n"
	".hidden arch_trial_emulated\n"
	".type arch_trial_emulated, @function\n"
	"arch_trial_emulated:\n"
	"	.cfi_startproc\n"
	"	push %rbp\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	pop %rbp\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size arch_trial_emulated, . - arch_trial_emulated\n"
	".globl arch_trial_stepped\n"
	".hidden arch_trial_stepped\n"
	".type arch_trial_stepped, @function\n"
	"arch_trial_stepped:\n"
	"	.cfi_startproc\n"
	"	sub $8, %rsp\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	add $8, %rsp\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size arch_trial_stepped, . - arch_trial_stepped\n"
	".popsection\n");
