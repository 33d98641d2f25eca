/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap_named N [exec] has a pool with its own names beside libc's allocator. With "exec" it
 * executes itself again from inside an allocation, and then allocates deeper in the stack.
 */
#include "heap_truth.h"

#include <sys/personality.h>

static struct site pooled = {.name = "from_pool"};
static char arena[16 << 20];
static size_t used;
static void *idle;
static const char *program; /* the next allocation executes it */
static char size_text[16];

#define POOL_BLOCK 256

NOINLINE void *pool_get(size_t size)
{
	char *p = idle;

	if (program) {
		execl(program, program, size_text, "again", NULL);
		_exit(1);
	}
	if (size > POOL_BLOCK)
		return NULL;
	if (p) {
		memcpy(&idle, p, sizeof(idle));
		return p;
	}
	if (used + POOL_BLOCK > sizeof(arena))
		return NULL;
	p = arena + used;
	used += POOL_BLOCK;
	return p;
}

NOINLINE void pool_put(void *block)
{
	memcpy(block, &idle, sizeof(idle));
	idle = block;
}

static NOINLINE void from_pool(long i)
{
	size_t size = 1 + (size_t)(i % POOL_BLOCK);
	void *p = pool_get(size);

	USED(p);
	site_alloc(&pooled, size);
	if (i % 4) {
		pool_put(p);
		site_free(&pooled, size);
	}
}

static NOINLINE void deeper(int levels, long n)
{
	volatile char buf[64];

	buf[0] = 0;
	if (levels)
		deeper(levels - 1, n);
	for (long i = 0; !levels && i < n; i++)
		from_pool(i);
	buf[1] = buf[0];
}

/* Without randomization its stack begins where it did before. */
static void run_without_randomization(char **argv)
{
	int now = personality(0xffffffff);

	if (now & ADDR_NO_RANDOMIZE)
		return;
	personality((unsigned long)now | ADDR_NO_RANDOMIZE);
	execv(argv[0], argv);
	exit(1);
}

int main(int argc, char **argv)
{
	const struct timespec notice = {.tv_nsec = 500000000};
	const char *how = argc > 2 ? argv[2] : "";
	long n = argc > 1 ? atol(argv[1]) : 1000;

	if (!strcmp(how, "exec"))
		run_without_randomization(argv);
	site_known(&pooled);
	if (!strcmp(how, "again"))
		nanosleep(&notice, NULL);
	else
		heap_begin();
	if (!strcmp(how, "exec")) {
		snprintf(size_text, sizeof(size_text), "%ld", n);
		program = argv[0];
		pool_get(1);
	}
	deeper(how[0] ? 50 : 0, n);
	heap_end();
	return 0;
}
