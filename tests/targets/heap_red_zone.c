/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap_red_zone N runs a pool whose functions keep their argument below the stack pointer and have
 * a five-byte nop after that. Name them with --alloc malloc=red_get,free=red_put. Linux 6.18 turns
 * such a nop into a call when it has a probe, and a call writes there.
 */
#include "heap_truth.h"

static struct site site = {.name = "from_red_zone"};
size_t red_used;
char red_arena[1 << 16];

void *red_get(size_t size);
void red_put(void *block);

#define NOP5 ".byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n"

__asm__(".text\n"
	".globl red_get\n"
	".type red_get, @function\n"
	"red_get:\n"
	"	.cfi_startproc\n"
	"	movq %rdi, -8(%rsp)\n" NOP5 "	movq red_used(%rip), %rax\n"
	"	addq $16, %rax\n"
	"	andl $0xfff0, %eax\n"
	"	movq %rax, red_used(%rip)\n"
	"	leaq red_arena(%rip), %rdx\n"
	"	addq %rdx, %rax\n"
	"	movq -8(%rsp), %rdx\n"
	"	movq %rdx, (%rax)\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size red_get, . - red_get\n"
	".globl red_put\n"
	".type red_put, @function\n"
	"red_put:\n"
	"	.cfi_startproc\n"
	"	movq %rdi, -8(%rsp)\n" NOP5 "	movq -8(%rsp), %rax\n"
	"	movq $0, (%rax)\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size red_put, . - red_put\n");

static NOINLINE void from_red_zone(long i)
{
	size_t size = 1 + (size_t)(i % 100), *block = red_get(size);

	if (*block != size)
		abort();
	site_alloc(&site, size);
	if (i % 3) {
		red_put(block);
		site_free(&site, size);
	}
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 1000;

	site_known(&site);
	heap_begin();
	for (long i = 0; i < n; i++)
		from_red_zone(i);
	heap_end();
	return 0;
}
