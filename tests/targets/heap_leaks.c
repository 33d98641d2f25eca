/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap_leaks LEAKED-MB CHURN has three sites that leak blocks of typical sizes among CHURN blocks
 * that are freed soon, and a site that keeps every third block.
 */
#include "heap_truth.h"

static struct site small = {.name = "leak_small"}, medium = {.name = "leak_medium"},
		   large = {.name = "leak_large"}, keeper = {.name = "keep_third"},
		   churner = {.name = "churn"};

static NOINLINE void leak_small(void)
{
	size_t size = 16 + heap_random(240);
	void *p = malloc(size);

	USED(p);
	site_alloc(&small, size);
}

static NOINLINE void leak_medium(void)
{
	size_t size = 1024 + heap_random(7168);
	void *p = malloc(size);

	USED(p);
	site_alloc(&medium, size);
}

static NOINLINE void leak_large(void)
{
	size_t size = 32768 + heap_random(1 << 20);
	void *p = malloc(size);

	USED(p);
	site_alloc(&large, size);
}

static NOINLINE void keep_third(long i)
{
	size_t size = 64 + heap_random(448);
	void *p = malloc(size);

	USED(p);
	site_alloc(&keeper, size);
	if (i % 3) {
		free(p);
		site_free(&keeper, size);
	}
}

/* A few blocks are alive at any time, and they are freed in another order. */
static NOINLINE void churn(void)
{
	static struct {
		void *block;
		size_t size;
	} held[64];
	unsigned long place = heap_random(64), r = heap_random(1000);
	size_t size = 8 + (r < 900   ? heap_random(120)
			   : r < 999 ? heap_random(4000)
				     : heap_random(200000));
	void *p = malloc(size);

	USED(p);
	site_alloc(&churner, size);
	if (held[place].block) {
		free(held[place].block);
		site_free(&churner, held[place].size);
	}
	held[place].block = p;
	held[place].size = size;
}

static long turns(const struct site *s, long bytes)
{
	return s->count[1] < bytes;
}

int main(int argc, char **argv)
{
	long leaked = (argc > 1 ? atol(argv[1]) : 16) << 20;
	long churned = argc > 2 ? atol(argv[2]) : 100000;

	site_known(&small);
	site_known(&medium);
	site_known(&large);
	site_known(&keeper);
	site_known(&churner);
	heap_begin();
	/* Each round does a bit of everything: 1/16 of the bytes leak in small blocks and 3/16 in
	 * medium ones. */
	for (long i = 0; !target_stop; i++) {
		double part = churned ? (double)i / (double)churned : 1;
		double bytes = (double)leaked * (part < 1 ? part : 1);

		while (turns(&small, (long)(bytes / 16)))
			leak_small();
		while (turns(&medium, (long)(bytes * 3 / 16)))
			leak_medium();
		while (turns(&large, (long)(bytes * 12 / 16)))
			leak_large();
		if (i >= churned)
			break;
		churn();
		if (i % 16 == 0)
			keep_third(i / 16);
	}
	heap_end();
	return 0;
}
