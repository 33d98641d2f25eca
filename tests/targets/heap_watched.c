/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap_watched N is an allocator whose malloc checks whether its return address is that of its
 * caller. At the end, the program prints "calls N replaced N": how often malloc was called, and how
 * often a return probe had put another address there. By its symbols it is jemalloc, because cprof
 * sets return probes only on the functions of known allocators.
 */
#include "heap_truth.h"

extern const char __executable_start, etext;

int mallctl(void);
void *watched_take(const char *caller, size_t size);

static struct site watched_site = {.name = "watched"};
static char arena[64 << 20];
static size_t used;
static long calls, replaced;

int mallctl(void)
{
	return 0;
}

void *watched_take(const char *caller, size_t size)
{
	char *p = arena + used;

	calls++;
	replaced += caller < &__executable_start || caller >= &etext;
	used += (size + 15) & ~(size_t)15;
	return used <= sizeof(arena) ? p : NULL;
}

/* The kernel emulates the pushes and the jump. They are an entry, another place after it, and one
 * where the result is known. */
__asm__(".text\n"
	".globl malloc\n"
	".type malloc, @function\n"
	"malloc:\n"
	"	.cfi_startproc\n"
	"	push %rbx\n"
	"	.cfi_def_cfa_offset 16\n"
	"	.cfi_offset %rbx, -16\n"
	"	push %rbp\n"
	"	.cfi_def_cfa_offset 24\n"
	"	.cfi_offset %rbp, -24\n"
	"	mov %rdi, %rsi\n"
	"	mov 16(%rsp), %rdi\n"
	"	sub $8, %rsp\n"
	"	.cfi_def_cfa_offset 32\n"
	"	call watched_take\n"
	"	add $8, %rsp\n"
	"	.cfi_def_cfa_offset 24\n"
	"	test %rax, %rax\n"
	"	je 1f\n"
	"1:	pop %rbp\n"
	"	.cfi_def_cfa_offset 16\n"
	"	pop %rbx\n"
	"	.cfi_def_cfa_offset 8\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size malloc, . - malloc\n");

void *malloc(size_t size);

NOINLINE void free(void *p)
{
	USED(p);
}

void *calloc(size_t count, size_t size)
{
	return malloc(count * size); /* the arena is never used again */
}

void *realloc(void *old, size_t size)
{
	USED(old);
	return malloc(size);
}

static NOINLINE void watched(long i)
{
	void *p = malloc(100);

	USED(p);
	site_alloc(&watched_site, 100);
	if (i % 2) {
		free(p);
		site_free(&watched_site, 100);
	}
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 1000;

	site_known(&watched_site);
	heap_begin();
	calls = replaced = 0;
	for (long i = 0; i < n; i++)
		watched(i);
	printf("calls %ld replaced %ld\n", calls, replaced);
	heap_end();
	return 0;
}
