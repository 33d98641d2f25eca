/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrappers ROUNDS [no-pvalloc] calls every function of the allocator that often. Each round has 16
 * allocations of 401,579 bytes in all and 16 frees, and one more of each if realloc() to zero
 * returns a block. jemalloc 5.3 has no pvalloc() and crashes on a block from that of glibc, so
 * valloc() takes its place.
 */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The compiler knows these functions well enough to remove the calls. */
static void *opaque(void *p)
{
	__asm__ volatile("" : "+r"(p)::"memory");
	return p;
}

static void check(int fine, const char *what)
{
	if (fine)
		return;
	(void)!write(2, what, strlen(what));
	_exit(1);
}

static size_t opaque_size(size_t size)
{
	__asm__ volatile("" : "+r"(size));
	return size;
}

static void plain(void)
{
	char *p = opaque(malloc(100));

	check(p != NULL, "malloc\n");
	free(p);
	free(opaque(malloc(0)));
	p = opaque(calloc(3, 50));
	for (int i = 0; i < 150; i++)
		check(p[i] == 0, "calloc\n");
	free(p);
	free(opaque(strdup("fifteen letters"))); /* 16 bytes */
	free(opaque(NULL));
}

static void grown(void)
{
	static const size_t sizes[] = {10, 200, 100000, 300000};
	char *p = NULL;

	for (int i = 0; i < 4; i++) {
		p = opaque(realloc(p, sizes[i]));
		check(p && (i == 0 || !memcmp(p, "kept", 5)), "realloc\n");
		memcpy(p, "kept", 5);
	}
	free(opaque(realloc(opaque(p), 0)));
	p = opaque(reallocarray(NULL, 4, 8));
	p = opaque(reallocarray(p, 8, 8));
	free(p);
}

static void aligned(void *(*pages)(size_t))
{
	void *p = NULL;

	check(!posix_memalign(&p, 256, 300) && (uintptr_t)p % 256 == 0, "posix_memalign\n");
	free(p);
	p = opaque(aligned_alloc(64, 640));
	check(p && (uintptr_t)p % 64 == 0, "aligned_alloc\n");
	free(p);
	p = opaque(memalign(1024, 7));
	check(p && (uintptr_t)p % 1024 == 0, "memalign\n");
	free(p);
	p = opaque(valloc(9));
	check(p && (uintptr_t)p % 4096 == 0, "valloc\n");
	free(p);
	p = opaque(pages(11));
	check(p && (uintptr_t)p % 4096 == 0, "pvalloc\n");
	free(p);
}

static void refused(void)
{
	void *p = opaque(malloc(40)), *never = NULL;

	errno = 0;
	check(!opaque(malloc(opaque_size(PTRDIFF_MAX))) && errno == ENOMEM, "malloc of all\n");
	errno = 0;
	check(!opaque(calloc(opaque_size(SIZE_MAX / 2), 3)) && errno == ENOMEM, "calloc of more\n");
	check(!opaque(realloc(p, opaque_size(SIZE_MAX - 4096))), "realloc to all\n");
	errno = 0;
	check(!opaque(reallocarray(p, opaque_size(SIZE_MAX / 2), 3)) && errno == ENOMEM,
	      "reallocarray of more\n");
	errno = 77;
	check(posix_memalign(&never, opaque_size(3), 10) == EINVAL && errno == 77,
	      "an odd alignment\n");
	free(p);
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) : 1;
	void *(*pages)(size_t) = argc > 2 && *argv[2] ? valloc : pvalloc;

	errno = 77;
	while (rounds-- > 0) {
		plain();
		grown();
		aligned(pages);
		check(errno == 77, "errno after allocations\n");
		refused();
	}
	return 0;
}
