/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A preloaded library that makes allocations fail in a whole program, including its libraries.
 * SHORT_FIRST is the number of the first one that fails, and SHORT_TIMES is how many do. At the end
 * the total number is written to the file SHORT_COUNT.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static atomic_long calls;
static pid_t self; /* forked processes are not affected */
static long first = -1, last = -1; /* none fails before main() */

__attribute__((constructor)) static void begin(void)
{
	const char *from = getenv("SHORT_FIRST"), *times = getenv("SHORT_TIMES");

	calls = 0;
	self = getpid();
	if (!from)
		return;
	last = atol(from) + (times ? atol(times) : 1) - 1;
	first = atol(from);
}

__attribute__((destructor)) static void end(void)
{
	const char *path = getenv("SHORT_COUNT");
	FILE *f = path && self == getpid() ? fopen(path, "w") : NULL;

	if (!f)
		return;
	fprintf(f, "%ld\n", calls);
	fclose(f);
}

static int refused(void)
{
	long number = ++calls;

	if (first < 0 || number < first || number > last || self != getpid())
		return 0;
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t size)
{
	return refused() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return refused() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
	return refused() ? NULL : __libc_realloc(old, size);
}
