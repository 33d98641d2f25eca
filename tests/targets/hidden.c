/* SPDX-License-Identifier: Apache-2.0 */
/* Copies memory inside realloc, so that a return probe on realloc hides the address of its caller
 * meanwhile. */
#include "target.h"

#include <malloc.h>

#define SMALL (64 << 10)
#define LARGE (4 << 20)

/* A block right after it prevents it from growing in place, so it is copied. */
static NOINLINE void *grow(void *block)
{
	void *fence = malloc(SMALL);

	block = realloc(block, LARGE);
	free(fence);
	__asm__ volatile("" : "+r"(block)::"memory");
	return block;
}

int main(void)
{
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	target_ready();
	while (!target_stop) {
		char *block = malloc(LARGE / 2);

		for (int i = 0; i < LARGE / 2; i += 4096)
			block[i] = 1;
		free(grow(block));
	}
}
