// SPDX-License-Identifier: Apache-2.0
// heap_throws N has its own allocator with C's names, whose malloc throws now and then, and whose
// calloc ends in memset. Built with -DWRAPS, the malloc calls that of an allocator with a known
// name, which is in the same file. The truth counts the calls that returned.
#include "heap_truth.h"

struct full {
	size_t asked;
};

static site caught = {"from_caught", {}, {}}, zeroed = {"from_zeroed", {}, {}};
static char arena[32 << 20];
static size_t used;
static long asked;
static volatile bool measured;

extern "C" {

#ifdef WRAPS
#define CARVE mi_malloc

NOINLINE long mi_version()
{
	return 212;
}

NOINLINE void mi_free(void *p)
{
	USED(p);
}
#else
#define CARVE carve
#endif

NOINLINE void *CARVE(size_t size)
{
	char *p = arena + used;

	used = (used + size + 31) / 16 * 16 % (sizeof(arena) - (1 << 20));
	memcpy(p, &size, sizeof(size));
	return p + 16;
}

// C's headers say that malloc does not throw, so these have other names here.
NOINLINE void *throwing_malloc(size_t size) asm("malloc");
NOINLINE void plain_free(void *p) asm("free");
NOINLINE void *zeroing_calloc(size_t count, size_t size) asm("calloc");
NOINLINE void *moving_realloc(void *old, size_t size) asm("realloc");

void *throwing_malloc(size_t size)
{
	if (measured && ++asked % 7 == 3)
		throw full{size};
	return CARVE(size);
}

void plain_free(void *p)
{
	USED(p);
}

void *zeroing_calloc(size_t count, size_t size)
{
	void *p = CARVE(count * size);

	return memset(p, 0, count * size);
}

void *moving_realloc(void *old, size_t size)
{
	void *p = CARVE(size);
	size_t before = 0;

	if (old)
		memcpy(&before, static_cast<char *>(old) - 16, sizeof(before));
	return memcpy(p, old ? old : "", before < size ? before : size);
}

NOINLINE void from_caught(long i)
{
	size_t size = 1 + (size_t)i % 200;
	void *p;

	measured = true;
	try {
		p = throwing_malloc(size);
	} catch (const full &f) {
		measured = false;
		if (f.asked != size)
			abort();
		return;
	}
	measured = false;
	USED(p);
	site_alloc(&caught, size);
	if (i % 3) {
		plain_free(p);
		site_free(&caught, size);
	}
}

NOINLINE void from_zeroed(long i)
{
	void *p = zeroing_calloc(3, 20);

	USED(p);
	site_alloc(&zeroed, 60);
	if (i % 2) {
		plain_free(p);
		site_free(&zeroed, 60);
	}
}
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 1000;

	site_known(&caught);
	site_known(&zeroed);
	heap_begin();
	for (long i = 0; i < n; i++) {
		from_caught(i);
		from_zeroed(i);
	}
	heap_end();
	return 0;
}
