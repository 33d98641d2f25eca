/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocator behind this library: whatever the dynamic linker finds after it, be that another
 * preloaded one or the C library.
 *
 * Looking it up may itself allocate. Until it is found, calls are served from a small static
 * buffer whose blocks are never reused; real_owns() recognises them later, as the allocator must not
 * be handed one.
 */
#ifndef CPROF_PRELOAD_REAL_H
#define CPROF_PRELOAD_REAL_H

#include <stdbool.h>
#include <stddef.h>

struct real_functions {
	void *(*malloc)(size_t size);
	void *(*calloc)(size_t n, size_t size);
	void *(*realloc)(void *old, size_t size);
	void (*free)(void *p);
	int (*posix_memalign)(void **p, size_t alignment, size_t size);
	void *(*aligned_alloc)(size_t alignment, size_t size);
	void *(*memalign)(size_t alignment, size_t size);
	void *(*valloc)(size_t size);
	void *(*pvalloc)(size_t size);
};

#define REAL_PAGE 4096

/* Read-only once sealed: no target for whoever can write memory. */
union real {
	struct real_functions call;
	char page[REAL_PAGE];
};

/* Hidden also where it is only declared: called without a detour over the GOT. */
extern __attribute__((visibility("hidden"))) union real real;

/*
 * Finds the allocator; does nothing when it is found or being looked for. Every function of `real` works
 * without it, too: the first call asks.
 */
void real_find(void);

/* No change to `real` from now on. Does nothing as long as the allocator is not found. */
void real_seal(void);

/* Whether `p` is from the static buffer. */
bool real_owns(const void *p);

/* realloc() of such a block into one of the allocator. */
void *real_move(void *old, size_t size);

/* Called with each block from the static buffer. */
void real_on_static_block(const void *p);

#endif
