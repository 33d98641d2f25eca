/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap_hidden N has a pool that ends in a jump through a pointer, so nobody can tell where it
 * returns.
 */
#include "heap_truth.h"

static struct site pooled = {.name = "from_hidden"};
static char arena[1 << 20];
static size_t used;

static NOINLINE void *carve(size_t size)
{
	char *p = arena + used;

	used = (used + size + 16) % (sizeof(arena) / 2);
	return p;
}

static void *(*volatile strategy)(size_t) = carve;

NOINLINE void *hidden_get(size_t size)
{
	return strategy(size);
}

NOINLINE void hidden_put(void *p)
{
	USED(p);
}

static NOINLINE void from_hidden(long i)
{
	size_t size = 1 + (size_t)(i % 100);
	void *p = hidden_get(size);

	USED(p);
	site_alloc(&pooled, size);
	hidden_put(p);
	site_free(&pooled, size);
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 1000;

	site_known(&pooled);
	heap_begin();
	for (long i = 0; i < n; i++)
		from_hidden(i);
	heap_end();
	return 0;
}
