/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library with an allocator whose functions call each other, as in some debugging allocators:
 * malloc() and calloc() call memalign(), and realloc() calls malloc() and free(). It never reuses
 * memory.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static _Alignas(4096) char memory[1u << 28];
static _Atomic size_t used;

__attribute__((visibility("default"))) void *memalign(size_t alignment, size_t size)
{
	size_t space = alignment + 16 + size,
	       at = atomic_fetch_add(&used, (space + 15) & ~(size_t)15);
	char *p = memory + at + 16;

	if (size > sizeof(memory) || at + space > sizeof(memory))
		return NULL;
	if (alignment > 16)
		p += -(uintptr_t)p & (alignment - 1);
	*(size_t *)(void *)(p - 16) = size;
	return p;
}

void *malloc(size_t size)
{
	return memalign(16, size);
}

void *calloc(size_t n, size_t size)
{
	return memalign(16, n * size);
}

void free(void *p)
{
	(void)p;
}

void *realloc(void *old, size_t size)
{
	void *p = malloc(size);
	size_t had = old ? *(size_t *)(void *)((char *)old - 16) : 0;

	if (p && old) {
		memcpy(p, old, had < size ? had : size);
		free(old);
	}
	return p;
}
