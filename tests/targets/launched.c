/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launched SECONDS BLOCKS [PROGRAM ARGS...] waits, allocates that many blocks of 1000 bytes, and
 * ends with them, after it has run the program in a child. With OWN_MALLOC it has an allocator of
 * its own, in front of which no library can be.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef OWN_MALLOC
static char pool[16 << 20] __attribute__((aligned(16)));
static size_t used;

__attribute__((noinline)) void *malloc(size_t size)
{
	char *p = pool + used;

	size = (size + 15) & ~(size_t)15;
	if (size > sizeof(pool) - used)
		return NULL;
	used += size;
	return p;
}

__attribute__((noinline)) void free(void *p)
{
	__asm__ volatile("" ::"r"(p) : "memory");
}

void *calloc(size_t n, size_t size)
{
	return malloc(n * size);
}

void *realloc(void *old, size_t size)
{
	char *p = malloc(size);

	if (p && old)
		memmove(p, old, size);
	return p;
}
#endif

__attribute__((noinline)) void grow(int blocks)
{
	for (int i = 0; i < blocks; i++) {
		char *p = malloc(1000);

		if (!p)
			abort();
		*(volatile char *)p = 1;
	}
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	sleep((unsigned)atoi(argv[1]));
	grow(atoi(argv[2]));
	if (argc > 3 && !fork()) {
		execv(argv[3], argv + 3);
		_exit(127);
	}
	return argc > 3 && wait(NULL) < 0;
}
