/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap_dlopen LIBRARY N opens a library with its own allocator once it is profiled, gives the
 * profiler some time to notice, and allocates N blocks from each of the two allocators.
 */
#include "heap_truth.h"

#include <dlfcn.h>

static struct site theirs = {.name = "from_library"}, ours = {.name = "from_libc"};
static void *(*library_malloc)(size_t);
static void *(*library_calloc)(size_t, size_t);
static void (*library_free)(void *);

static NOINLINE void from_library(long i)
{
	size_t size = 20 + (size_t)(i % 200);
	void *p = i % 2 ? library_malloc(size) : library_calloc(2, size / 2);

	size = i % 2 ? size : size / 2 * 2;
	USED(p);
	site_alloc(&theirs, size);
	if (i % 3) {
		library_free(p);
		site_free(&theirs, size);
	}
}

static NOINLINE void from_libc(long i)
{
	void *p = malloc(64);

	USED(p);
	site_alloc(&ours, 64);
	if (i % 3) {
		free(p);
		site_free(&ours, 64);
	}
}

int main(int argc, char **argv)
{
	const struct timespec notice = {.tv_sec = 1, .tv_nsec = 300000000};
	long n = argc > 2 ? atol(argv[2]) : 1000;
	void *library;

	site_known(&theirs);
	site_known(&ours);
	heap_begin();
	library = dlopen(argc > 1 ? argv[1] : "", RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	*(void **)&library_malloc = dlsym(library, "malloc");
	*(void **)&library_calloc = dlsym(library, "calloc");
	*(void **)&library_free = dlsym(library, "free");
	nanosleep(&notice, NULL);
	for (long i = 0; i < n; i++) {
		from_library(i);
		from_libc(i);
	}
	heap_end();
	return 0;
}
