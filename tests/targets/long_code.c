/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spends its time in a function in assembly without call frame information, which has more
 * instructions than are followed for one stack, beside more code that has some.
 */
#include "target.h"

void long_code(void);

/* clang-format off */
__asm__(".text\n"
	".p2align 4\n"
	".type with_cfi, @function\n"
	"with_cfi:\n"
	".rept 131072\n"
	"	.cfi_startproc\n"
	"	ret\n"
	"	.p2align 4\n"
	"	.cfi_endproc\n"
	".endr\n"
	".size with_cfi, .-with_cfi\n"
	".globl long_code\n"
	".type long_code, @function\n"
	"long_code:\n"
	"	push %rbx\n"
	".rept 300000\n"
	"	imul %rdi, %rdx\n"
	".endr\n"
	"	pop %rbx\n"
	"	ret\n"
	".size long_code, .-long_code\n");
/* clang-format on */

int main(void)
{
	target_ready();
	while (!target_stop)
		long_code();
	return 0;
}
