/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap_realloc N calls each function of malloc's family N times. A realloc that succeeds counts as
 * an allocation of all the new bytes and frees the old block. One of no bytes only frees, and one
 * that fails does nothing.
 */
#include "heap_truth.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>

#define SITE(name_)                                         \
	static struct site name_##_site = {.name = #name_}; \
	static NOINLINE void name_(long i)

#define GOT(name_, size_) site_alloc(&name_##_site, size_)
#define GAVE(name_, size_) site_free(&name_##_site, size_)

static volatile size_t too_much = PTRDIFF_MAX;

static void need(int holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "heap_realloc: %s\n", what);
		abort();
	}
}

SITE(chain)
{
	size_t size = 16;
	char *p = malloc(size);

	GOT(chain, size);
	for (; size < 65536; size *= 2) {
		p = realloc(p, 2 * size);
		USED(p);
		GOT(chain, 2 * size);
		GAVE(chain, size);
	}
	if (i % 2) {
		free(p);
		GAVE(chain, size);
	}
}

/* It shrinks and grows by a byte, so the block stays where it is. */
SITE(in_place)
{
	void *p = malloc(100), *q;

	GOT(in_place, 100);
	q = realloc(p, 99);
	GOT(in_place, 99);
	GAVE(in_place, 100);
	USED(q);
	q = realloc(q, 100);
	GOT(in_place, 100);
	GAVE(in_place, 99);
	USED(q);
}

SITE(to_zero)
{
	void *p = malloc(200);

	GOT(to_zero, 200);
	p = realloc(p, 0);
	GAVE(to_zero, 200);
	free(p); /* some allocators return a block of no bytes */
}

SITE(from_null)
{
	void *p = realloc(NULL, 300 + (size_t)(i % 7));

	USED(p);
	GOT(from_null, 300 + (size_t)(i % 7));
}

SITE(fails_to_grow)
{
	void *p = malloc(150), *q;

	GOT(fails_to_grow, 150);
	q = realloc(p, too_much);
	need(!q, "a realloc of everything");
	if (i % 2) {
		free(p);
		GAVE(fails_to_grow, 150);
	}
}

SITE(zeroed)
{
	void *p = calloc(7, 111);

	USED(p);
	GOT(zeroed, 7 * 111);
	if (i % 4 == 0) {
		free(p);
		GAVE(zeroed, 7 * 111);
	}
}

SITE(zeroed_large)
{
	void *p = calloc(3, 100000);

	USED(p);
	GOT(zeroed_large, 300000);
	free(p);
	GAVE(zeroed_large, 300000);
}

SITE(array)
{
	void *p = reallocarray(NULL, 9, 50);

	GOT(array, 450);
	p = reallocarray(p, 10, 50);
	USED(p);
	GOT(array, 500);
	GAVE(array, 450);
	need(!reallocarray(p, too_much, 4), "a reallocarray of everything");
}

SITE(posix_aligned)
{
	void *p = NULL;

	need(!posix_memalign(&p, 64, 600), "posix_memalign");
	USED(p);
	GOT(posix_aligned, 600);
	if (i % 3 == 0) {
		free(p);
		GAVE(posix_aligned, 600);
	}
	need(posix_memalign(&p, 3, 600) == EINVAL, "posix_memalign to 3");
	need(posix_memalign(&p, 64, too_much) == ENOMEM, "posix_memalign of everything");
}

SITE(c11_aligned)
{
	void *p = aligned_alloc(128, 1280);

	USED(p);
	GOT(c11_aligned, 1280);
}

SITE(old_aligned)
{
	void *p = memalign(256, 700);

	USED(p);
	GOT(old_aligned, 700);
	if (i % 2) {
		free(p);
		GAVE(old_aligned, 700);
	}
}

SITE(page_aligned)
{
	void *p = valloc(5000);

	USED(p);
	GOT(page_aligned, 5000);
	free(p);
	GAVE(page_aligned, 5000);
}

#ifdef __GLIBC__
SITE(whole_pages)
{
	void *p = pvalloc(5000);

	USED(p);
	GOT(whole_pages, 8192);
}
#endif

/* These are libc's own callers. musl's have no unwind rows, so it is unknown who called them. */
#ifdef __GLIBC__
SITE(copied)
{
	char *p = strdup("twenty characters...");

	USED(p);
	GOT(copied, 21);
}
#endif

SITE(of_nothing)
{
	void *p = malloc(0);

	USED(p);
	GOT(of_nothing, 0);
}

SITE(refused)
{
	need(!malloc(too_much), "a malloc of everything");
	need(!calloc(too_much, 2), "a calloc of everything");
	free(NULL);
}

static const struct {
	struct site *site;
	void (*run)(long);
} all[] = {
	{&chain_site, chain},
	{&in_place_site, in_place},
	{&to_zero_site, to_zero},
	{&from_null_site, from_null},
	{&fails_to_grow_site, fails_to_grow},
	{&zeroed_site, zeroed},
	{&zeroed_large_site, zeroed_large},
	{&array_site, array},
	{&posix_aligned_site, posix_aligned},
	{&c11_aligned_site, c11_aligned},
	{&old_aligned_site, old_aligned},
	{&page_aligned_site, page_aligned},
#ifdef __GLIBC__
	{&whole_pages_site, whole_pages},
	{&copied_site, copied},
#endif
	{&of_nothing_site, of_nothing},
	{&refused_site, refused},
};
#define NALL (sizeof(all) / sizeof(all[0]))

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 500;

	for (size_t s = 0; s < NALL; s++)
		site_known(all[s].site);
	heap_begin();
	for (long i = 0; i < n; i++) {
		for (size_t s = 0; s < NALL; s++)
			all[s].run(i);
	}
	heap_end();
	return 0;
}
