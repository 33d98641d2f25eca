/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wraps the malloc family of the allocator. Only malloc() does not suspend the countdown: it
 * tail-calls the real malloc, which halves its cost in a program that waits for its memory. If
 * start-up shows that the real malloc calls other wrapped functions, the suspending version is
 * used.
 */
#include "heap.h"
#include "question.h"
#include "real.h"

#include <errno.h>
#include <stdlib.h>

static RARE void *malloc_reached(size_t size)
{
	uint64_t left = heap_enter();
	void *p = real.call.malloc(size);

	heap_leave(left, p, size);
	return p;
}

EXPORTED void *malloc(size_t size)
{
	uint64_t left = heap_thread.left;
	void *p;

	if (LIKELY(size < left)) {
		heap_thread.left = left - size;
		return real.call.malloc(size);
	}
	p = malloc_reached(size);
	/* This prevents a tail call, so that malloc stays on the stack. */
	__asm__ volatile("" : "+r"(p));
	return p;
}

EXPORTED void free(void *p)
{
	if (heap_free(p))
		real.call.free(p);
}

EXPORTED void *calloc(size_t n, size_t size)
{
	uint64_t left;
	size_t bytes;
	void *p;

	if (UNLIKELY(__builtin_mul_overflow(n, size, &bytes)))
		return real.call.calloc(n, size);
	left = heap_enter();
	p = real.call.calloc(n, size);
	heap_leave(left, p, bytes);
	return p;
}

/* It may be sampled, or be a block of the static buffer. */
static RARE void *realloc_followed(void *old, size_t size)
{
	bool followed = heap_move(old);
	void *p = real_owns(old) ? real_move(old, size) : real.call.realloc(old, size);

	/* glibc frees the block if the size is 0, and returns NULL. */
	if (followed)
		heap_moved(old, p || !size);
	return p;
}

/*
 * A realloc counts as a free of the old block and an allocation of the new size, whether it moved
 * or not. If it fails, the old block stays, and so does its sample. A call that is certain to fail
 * is only passed on.
 */
EXPORTED void *realloc(void *old, size_t size)
{
	uint64_t left;
	void *p;

	if (UNLIKELY(size > PTRDIFF_MAX))
		return real.call.realloc(real_owns(old) ? NULL : old, size);
	left = heap_enter();
	p = UNLIKELY(pointer_set_may_hold(&heap_samples, old)) ? realloc_followed(old, size)
							       : real.call.realloc(old, size);
	heap_leave(left, p, size);
	return p;
}

EXPORTED void *reallocarray(void *old, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(old, bytes);
}

EXPORTED int posix_memalign(void **p, size_t alignment, size_t size)
{
	uint64_t left = heap_enter();
	int err = real.call.posix_memalign(p, alignment, size);

	heap_leave(left, err ? NULL : *p, size);
	return err;
}

EXPORTED void *aligned_alloc(size_t alignment, size_t size)
{
	uint64_t left = heap_enter();
	void *p = real.call.aligned_alloc(alignment, size);

	heap_leave(left, p, size);
	return p;
}

EXPORTED void *memalign(size_t alignment, size_t size)
{
	uint64_t left = heap_enter();
	void *p = real.call.memalign(alignment, size);

	heap_leave(left, p, size);
	return p;
}

EXPORTED void *valloc(size_t size)
{
	uint64_t left = heap_enter();
	void *p = real.call.valloc(size);

	heap_leave(left, p, size);
	return p;
}

EXPORTED void *pvalloc(size_t size)
{
	uint64_t left = heap_enter();
	void *p = real.call.pvalloc(size);

	heap_leave(left, p, size);
	return p;
}

/* These functions only forward the call: glibc has the first one for old programs, and C23 adds the
 * others. */
EXPORTED void cfree(void *p)
{
	free(p);
}

EXPORTED void free_sized(void *p, size_t size)
{
	(void)size;
	free(p);
}

EXPORTED void free_aligned_sized(void *p, size_t alignment, size_t size)
{
	(void)alignment, (void)size;
	free(p);
}

static void *(*entering_malloc)(size_t size);

static void *malloc_held(size_t size)
{
	uint64_t left = heap_enter();
	void *p = entering_malloc(size);

	heap_thread.left = left;
	return p;
}

/* The second call counts, because the first one may initialize the allocator. */
static bool malloc_enters_wrappers(void)
{
	uint64_t left = heap_enter();
	bool enters = false;

	for (int i = 0; i < 2; i++) {
		heap_thread.left = SAMPLER_NEVER;
		real.call.free(real.call.malloc(64));
		enters = heap_thread.left != SAMPLER_NEVER;
	}
	heap_thread.left = left;
	return enters;
}

/* This runs before there are threads, so no thread has to wait for another one that looks up the
 * allocator. */
static __attribute__((constructor)) void start(void)
{
	real_find();
	if (malloc_enters_wrappers()) {
		entering_malloc = real.call.malloc;
		real.call.malloc = malloc_held;
	}
	real_seal();
	question_init();
	if (real_is_behind())
		heap_started();
	else
		question_bypassed();
}
