/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library with an allocator whose code the dynamic linker changes when it loads it. The addresses
 * in it are text relocations (-mcmodel=large without -fPIC, -z notext).
 */
#include <stddef.h>

char relocated_arena[1 << 20];
size_t relocated_used;

__attribute__((noinline)) void *relocated_carve(size_t size)
{
	size_t at = (relocated_used + 15) & ~(size_t)15;

	if (at + size > sizeof(relocated_arena))
		at = 0;
	relocated_used = at + size;
	return relocated_arena + at;
}

void *malloc(size_t size)
{
	return relocated_carve(size);
}

void free(void *block)
{
	if (block && relocated_used == 1)
		relocated_used = 0;
}

void *calloc(size_t count, size_t size)
{
	char *block = relocated_carve(count * size);

	for (size_t i = 0; i < count * size; i++)
		block[i] = 0;
	return block;
}

void *realloc(void *old, size_t size)
{
	char *block = relocated_carve(size);

	for (size_t i = 0; old && i < size; i++)
		block[i] = ((char *)old)[i];
	return block;
}
