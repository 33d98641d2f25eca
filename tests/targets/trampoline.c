/* SPDX-License-Identifier: Apache-2.0 */
/* Calls a function through generated code that has no frame pointer: it moves the stack pointer by
 * one word, and calls. That is how the trampolines of CPython's -X perf look. */
#include "target.h"

#include <sys/mman.h>

static const unsigned char code[] = {
	0x48, 0x83, 0xec, 0x08, /* sub $8, %rsp */
	0xff, 0xd7, /* call *%rdi */
	0x48, 0x83, 0xc4, 0x08, /* add $8, %rsp */
	0xc3, /* ret */
};

static NOINLINE void work_below(void)
{
	TARGET_SPIN(20000);
}

static NOINLINE void enter(void (*trampoline)(void (*)(void)))
{
	trampoline(work_below);
	NO_TAIL_CALL();
}

int main(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return 1;
	memcpy(page, code, sizeof(code));
	target_ready();
	while (!target_stop) {
		/* Nothing but the stack leads from the trampoline to its caller. */
		__asm__ volatile("xor %%ebp, %%ebp" ::: "rbp");
		enter((void (*)(void (*)(void)))page);
	}
	return 0;
}
