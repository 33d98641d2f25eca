/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls through functions in assembly that have no call frame information, with the frames that
 * such code has: pushed registers, a stack pointer that is kept in the aligned stack or in rbx, a
 * frame pointer, a table of jumps, and a call that does not return in their middle. The time is
 * spent at the bottom.
 */
#include "target.h"

void no_cfi_bottom(long n);
void no_cfi_never(void);
void no_cfi_pushes(long n);

NOINLINE void no_cfi_bottom(long n UNUSED)
{
	TARGET_SPIN(1000000);
	NO_TAIL_CALL();
}

__attribute__((noreturn)) NOINLINE void no_cfi_never(void)
{
	abort();
}

#define FUNCTION(name) ".p2align 4\n.globl " #name "\n.type " #name ", @function\n" #name ":\n"

__asm__(".text\n"
	/* Where it goes on after the call that does not return, rsp is as before the last push. */
	FUNCTION(
		no_cfi_pushes) "	push %rbp\n"
			       "	push %rbx\n"
			       "	push %r12\n"
			       "	mov %rdi, %rbp\n"
			       "	test %rdi, %rdi\n"
			       "	jns 1f\n"
			       "	push %rax\n"
			       "	push %rax\n"
			       "	call no_cfi_never\n"
			       "1:	call no_cfi_aligned\n"
			       "	pop %r12\n"
			       "	pop %rbx\n"
			       "	pop %rbp\n"
			       "	ret\n"
			       ".size no_cfi_pushes, .-no_cfi_pushes\n" FUNCTION(
				       no_cfi_aligned) "	mov %rsp, %rax\n"
						       "	sub $200, %rsp\n"
						       "	and $-64, %rsp\n"
						       "	mov %rax, 136(%rsp)\n"
						       "	mov $1, %ebp\n"
						       "	call no_cfi_pointer\n"
						       "	mov 136(%rsp), %rsp\n"
						       "	ret\n"
						       ".size no_cfi_aligned, "
						       ".-no_cfi_aligned\n" FUNCTION(
							       no_cfi_pointer) "	push %rbp\n"
									       "	mov %rsp, "
									       "%rbp\n"
									       "	sub %rdi, "
									       "%rsp\n"
									       "	and $-16, "
									       "%rsp\n"
									       "	call "
									       "no_cfi_table\n"
									       "	leave\n"
									       "	ret\n"
									       ".size "
									       "no_cfi_pointer, "
									       ".-no_cfi_"
									       "pointer\n" FUNCTION(
										       no_cfi_table) "	sub $24, %rsp\n"
												     "	mov %rdi, %rax\n"
												     "	and $3, %eax\n"
												     "	lea 9f(%rip), %rdx\n"
												     "	movslq (%rdx,%rax,4), %rax\n"
												     "	add %rdx, %rax\n"
												     "	jmp *%rax\n"
												     "2:	call no_cfi_bottom\n"
												     "	add $24, %rsp\n"
												     "	ret\n"
												     "3:	push %rdi\n"
												     "	push %rdi\n"
												     "	call no_cfi_bottom\n"
												     "	add $40, %rsp\n"
												     "	ret\n"
												     ".size no_cfi_table, .-no_cfi_table\n"
												     ".section .rodata\n"
												     ".p2align 2\n"
												     "9:	.long 2b-9b, 3b-9b, 2b-9b, 3b-9b\n"
												     ".text\n");

int main(void)
{
	target_ready();
	for (long n = 0; !target_stop; n++)
		no_cfi_pushes(n & 1023);
	return 0;
}
