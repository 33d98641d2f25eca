/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assembly without call frame information that keeps the stack pointer of before it was aligned
 * only in rcx, while it calls functions of its own that leave rcx alone. The time is spent in the
 * innermost of them.
 */
#include "target.h"

void kept_outer(long n);

#define FUNCTION(name) ".p2align 4\n.type " #name ", @function\n" #name ":\n"

/* clang-format off */
__asm__(".text\n"
	".globl kept_outer\n"
	FUNCTION(kept_outer)
	"	mov %rsp, %rcx\n"
	"	and $-64, %rsp\n"
	"	sub $96, %rsp\n"
	"	call kept_middle\n"
	"	sub $64, %rsp\n"
	"	call kept_middle\n"
	"	mov %rcx, %rsp\n"
	"	ret\n"
	".size kept_outer, .-kept_outer\n"
	FUNCTION(kept_middle)
	"	sub $24, %rsp\n"
	"	call kept_leaf\n"
	"	test %rdi, %rdi\n"
	"	js 1f\n"
	"	call kept_leaf\n"
	"1:	add $24, %rsp\n"
	"	ret\n"
	".size kept_middle, .-kept_middle\n"
	FUNCTION(kept_leaf)
	"	mov %rdi, %rax\n"
	"1:	imul %rdi, %rdx\n"
	"	dec %rax\n"
	"	jg 1b\n"
	"	ret\n"
	".size kept_leaf, .-kept_leaf\n");
/* clang-format on */

int main(void)
{
	target_ready();
	while (!target_stop)
		kept_outer(100000);
	return 0;
}
