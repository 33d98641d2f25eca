/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generated code that runs in the frame of an interpreter in assembly and extends it, as LuaJIT's
 * traces do: `interpreter BYTES`. It has no frame pointer, and in its part of the frame is an old
 * return address.
 */
#include "target.h"

#include <stdint.h>
#include <sys/mman.h>

/* One row describes the interpreter from its first instruction on. */
__asm__(".pushsection .text\n"
	".type interpret, @function\n"
	"interpret:\n"
	".cfi_startproc\n"
	".cfi_def_cfa_offset 64\n"
	".cfi_offset %rbp, -16\n"
	".cfi_offset %rbx, -24\n"
	"push %rbp\n"
	"push %rbx\n"
	"sub $40, %rsp\n"
	"jmp *%rdi\n"
	"leave_interpreter:\n"
	"add $40, %rsp\n"
	"pop %rbx\n"
	"pop %rbp\n"
	"ret\n"
	".cfi_endproc\n"
	".size interpret, . - interpret\n"
	".popsection\n");
void interpret(void *code, void *stale, void *leave);
extern char leave_interpreter[];

static NOINLINE void *return_address(void)
{
	return __builtin_return_address(0);
}

static void generate(unsigned char *at, uint32_t bytes)
{
	static const unsigned char begin[] = {
		0x48, 0x89, 0x74, 0x24, 0x08, /* mov [rsp + 8], rsi */
		0xbd, 0x01, 0x00, 0x00, 0x00, /* mov ebp, 1 */
		0xb9, 0x00, 0x20, 0x00, 0x00, /* mov ecx, 8192 */
		0xff, 0xc9, 0x75, 0xfc, /* 1: dec ecx; jnz 1b */
	};
	static const unsigned char end[] = {0xff, 0xe2}; /* jmp rdx */
	static const unsigned char sub[] = {0x48, 0x81, 0xec}, add[] = {0x48, 0x81, 0xc4};

	memcpy(at, sub, sizeof(sub));
	memcpy(at += sizeof(sub), &bytes, sizeof(bytes));
	memcpy(at += sizeof(bytes), begin, sizeof(begin));
	memcpy(at += sizeof(begin), add, sizeof(add));
	memcpy(at += sizeof(add), &bytes, sizeof(bytes));
	memcpy(at + sizeof(bytes), end, sizeof(end));
}

static NOINLINE void enter(void *code, void *stale)
{
	interpret(code, stale, leave_interpreter);
	NO_TAIL_CALL();
}

int main(int argc, char **argv)
{
	void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *stale = return_address();

	if (code == MAP_FAILED)
		return 1;
	generate(code, argc > 1 ? (uint32_t)atoi(argv[1]) : 16);
	target_ready();
	while (!target_stop)
		enter(code, stale);
	return 0;
}
