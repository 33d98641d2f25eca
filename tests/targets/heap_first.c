/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap_first LIBRARY N opens a library that was never mapped before and allocates N blocks through
 * it at once, before a profiler can have read the file.
 */
#include "heap_truth.h"

#include <dlfcn.h>

static struct site site = {.name = "under_library"};

static NOINLINE void under_library(long i)
{
	size_t size = 16 + (size_t)i;
	void *p = malloc(size);

	USED(p);
	site_alloc(&site, size);
}

int main(int argc, char **argv)
{
	long n = argc > 2 ? atol(argv[2]) : 100;
	void (*call_back)(void (*)(long), long);
	void *library;

	site_known(&site);
	heap_begin();
	library = dlopen(argc > 1 ? argv[1] : "", RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	*(void **)&call_back = dlsym(library, "call_back");
	for (long i = 0; i < n; i++)
		call_back(under_library, i);
	heap_end();
	return 0;
}
