/* SPDX-License-Identifier: Apache-2.0 */
/* heap_named N: a pool with names of its own beside libc's. */
#include "heap_truth.h"

static struct site pooled = {.name = "from_pool"};
static char arena[16 << 20];
static size_t used;
static void *idle;

#define POOL_BLOCK 256

NOINLINE void *pool_get(size_t size)
{
	char *p = idle;

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

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 1000;

	site_known(&pooled);
	heap_begin();
	for (long i = 0; i < n; i++)
		from_pool(i);
	heap_end();
	return 0;
}
