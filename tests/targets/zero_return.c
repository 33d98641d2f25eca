/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Has a return address of 0: in the middle of the stack, in an argument's place, because the call
 * frame information of zero_wrong() leaves out what it subtracts from rsp (`main` in the first
 * thread, `thread` in another one); or at the bottom of a stack of its own (`own`), as coroutines
 * that nothing returns from begin.
 */
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "target.h"

#define STACK_BYTES 65536

void zero_wrong(void);
void zero_enter(void *top, void (*function)(void));
void zero_leave(void);
void zero_bottom(void);
void zero_coroutine(void);

static void *saved_sp __attribute__((used));

NOINLINE void zero_bottom(void)
{
	TARGET_SPIN(100000);
	NO_TAIL_CALL();
}

NOINLINE void zero_coroutine(void)
{
	zero_bottom();
	zero_leave();
	NO_TAIL_CALL();
}

/* clang-format off */
__asm__(".text\n"
	".globl zero_wrong\n"
	".type zero_wrong, @function\n"
	"zero_wrong:\n"
	"	.cfi_startproc\n"
	"	sub $24, %rsp\n"
	"	movq $0, (%rsp)\n"
	"	call zero_bottom\n"
	"	add $24, %rsp\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size zero_wrong, .-zero_wrong\n"
	".globl zero_enter\n"
	".type zero_enter, @function\n"
	"zero_enter:\n"
	"	push %rbx\n"
	"	push %rbp\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	push %r15\n"
	"	mov %rsp, saved_sp(%rip)\n"
	"	lea -8(%rdi), %rsp\n"
	"	jmp *%rsi\n"
	".size zero_enter, .-zero_enter\n"
	".globl zero_leave\n"
	".type zero_leave, @function\n"
	"zero_leave:\n"
	"	mov saved_sp(%rip), %rsp\n"
	"	pop %r15\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbp\n"
	"	pop %rbx\n"
	"	ret\n"
	".size zero_leave, .-zero_leave\n");
/* clang-format on */

static void *run_wrong(void *unused UNUSED)
{
	while (!target_stop)
		zero_wrong();
	return NULL;
}

static void run_own(void)
{
	char *stack =
		mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (stack == MAP_FAILED)
		abort();
	while (!target_stop)
		zero_enter(stack + STACK_BYTES - 64, zero_coroutine);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "main";
	pthread_t thread;

	target_ready();
	if (!strcmp(how, "own")) {
		run_own();
	} else if (!strcmp(how, "thread")) {
		if (pthread_create(&thread, NULL, run_wrong, NULL))
			abort();
		pthread_join(thread, NULL);
	} else {
		run_wrong(NULL);
	}
	return 0;
}
