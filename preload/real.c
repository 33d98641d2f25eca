/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the allocator behind this library, and serves calls itself until then. */
#include "real.h"

#include "heap.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define STATIC_BYTES (64u * 1024)
#define STATIC_ALIGN 16u

static _Alignas(STATIC_ALIGN) char static_bytes[STATIC_BYTES];
static _Atomic size_t static_used;

static _Atomic bool found, looking;

bool real_owns(const void *p)
{
	return (uintptr_t)p - (uintptr_t)static_bytes < STATIC_BYTES;
}

/* Returns zeroed memory with its size in the 16 bytes before it, or NULL and ENOMEM. */
static void *static_alloc(size_t alignment, size_t size)
{
	size_t take, at;
	char *p;

	if (alignment < STATIC_ALIGN)
		alignment = STATIC_ALIGN;
	if (size > STATIC_BYTES || alignment > STATIC_BYTES)
		goto none;
	take = alignment + STATIC_ALIGN + ((size + STATIC_ALIGN - 1) & ~(size_t)(STATIC_ALIGN - 1));
	at = atomic_fetch_add_explicit(&static_used, take, memory_order_relaxed);
	/* Repeated calls may move the sum past the end, but too few calls happen here for it to
	 * reach SIZE_MAX. */
	if (at > STATIC_BYTES || take > STATIC_BYTES - at)
		goto none;
	p = static_bytes + at + STATIC_ALIGN;
	p += -(uintptr_t)p & (alignment - 1);
	*(size_t *)(void *)(p - STATIC_ALIGN) = size;
	real_on_static_block(p);
	return p;
none:
	errno = ENOMEM;
	return NULL;
}

void *real_move(void *old, size_t size)
{
	size_t had = *(size_t *)(void *)((char *)old - STATIC_ALIGN);
	void *p = real.call.malloc(size);

	if (p)
		memcpy(p, old, had < size ? had : size);
	return p;
}

/* ---- used before the allocator is found: they look for it, and serve the call themselves while
 * that goes on */

static bool ready(void)
{
	real_find();
	return atomic_load_explicit(&found, memory_order_acquire);
}

static void *early_malloc(size_t size)
{
	return ready() ? real.call.malloc(size) : static_alloc(0, size);
}

static void *early_calloc(size_t n, size_t size)
{
	size_t bytes;

	if (ready())
		return real.call.calloc(n, size);
	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return static_alloc(0, bytes);
}

/* Blocks of the static buffer go to real_move(); no other blocks exist yet. */
static void *early_realloc(void *old, size_t size)
{
	return ready() ? real.call.realloc(old, size) : static_alloc(0, size);
}

static void early_free(void *p)
{
	if (ready())
		real.call.free(p);
}

static int early_posix_memalign(void **p, size_t alignment, size_t size)
{
	if (ready())
		return real.call.posix_memalign(p, alignment, size);
	*p = static_alloc(alignment, size);
	return *p ? 0 : ENOMEM;
}

static void *early_aligned_alloc(size_t alignment, size_t size)
{
	return ready() ? real.call.aligned_alloc(alignment, size) : static_alloc(alignment, size);
}

static void *early_memalign(size_t alignment, size_t size)
{
	return ready() ? real.call.memalign(alignment, size) : static_alloc(alignment, size);
}

static void *early_valloc(size_t size)
{
	return ready() ? real.call.valloc(size) : static_alloc(REAL_PAGE, size);
}

static void *early_pvalloc(size_t size)
{
	size_t pages = (size + REAL_PAGE - 1) & ~(size_t)(REAL_PAGE - 1);

	return ready() ? real.call.pvalloc(size) : static_alloc(REAL_PAGE, pages);
}

_Alignas(REAL_PAGE) union real real = {.call = {
					       .malloc = early_malloc,
					       .calloc = early_calloc,
					       .realloc = early_realloc,
					       .free = early_free,
					       .posix_memalign = early_posix_memalign,
					       .aligned_alloc = early_aligned_alloc,
					       .memalign = early_memalign,
					       .valloc = early_valloc,
					       .pvalloc = early_pvalloc,
				       }};

/* ---- for functions that some C library lacks (pvalloc in musl), which a program for it does not
 * call */

static void *missing_alloc(size_t size)
{
	(void)size;
	errno = ENOMEM;
	return NULL;
}

static void *missing_aligned(size_t alignment, size_t size)
{
	return missing_alloc(alignment + size);
}

static int missing_posix_memalign(void **p, size_t alignment, size_t size)
{
	(void)p, (void)alignment, (void)size;
	return ENOMEM;
}

#define NEXT(field, name, otherwise)                                              \
	do {                                                                      \
		void *next_ = dlsym(RTLD_NEXT, name);                             \
		next.field = next_ ? (__typeof__(next.field))next_ : (otherwise); \
	} while (0)

static bool same_library(void *a, void *b)
{
	Dl_info of_a, of_b;

	return dladdr(a, &of_a) && dladdr(b, &of_b) && of_a.dli_fbase == of_b.dli_fbase;
}

static void look_up_operators(struct real_functions *next)
{
#define NAME_(name) #name,
	static const char *const names[] = {REAL_OPERATORS(NAME_)};
#undef NAME_

	/* Each name that is not found costs a message. */
	for (int i = 0; i < REAL_OPERATORS_N && (i == 0 || next->operators[0]); i++) {
		void *symbol = dlsym(RTLD_NEXT, names[i]);

		next->operators[i] = (real_operator_fn)symbol;
		if (symbol && same_library(symbol, (void *)next->malloc))
			next->own_operators |= 1u << i;
	}
	/* A `new` can only be used together with its nothrow form. */
	for (int i = 0; i < REAL_NEW_FORMS; i += 2) {
		if ((next->own_operators >> i & 3) != 3)
			next->own_operators &= ~(3u << i);
	}
}

static bool look_up(void)
{
	struct real_functions next = {0};

	NEXT(malloc, "malloc", NULL);
	NEXT(calloc, "calloc", NULL);
	NEXT(realloc, "realloc", NULL);
	NEXT(free, "free", NULL);
	NEXT(posix_memalign, "posix_memalign", missing_posix_memalign);
	NEXT(aligned_alloc, "aligned_alloc", missing_aligned);
	NEXT(memalign, "memalign", missing_aligned);
	NEXT(valloc, "valloc", missing_alloc);
	NEXT(pvalloc, "pvalloc", missing_alloc);
	if (!next.malloc || !next.calloc || !next.realloc || !next.free)
		return false;
	look_up_operators(&next);
	NEXT(dlopen, "dlopen", NULL);
	NEXT(dlmopen, "dlmopen", NULL);
	NEXT(execve, "execve", NULL);
	NEXT(execvpe, "execvpe", NULL);
	NEXT(fexecve, "fexecve", NULL);
	NEXT(posix_spawn, "posix_spawn", NULL);
	NEXT(posix_spawnp, "posix_spawnp", NULL);
	real.call = next;
	return true;
}

void real_find(void)
{
	int saved = errno;
	uint64_t left;

	if (atomic_exchange_explicit(&looking, true, memory_order_acq_rel))
		return;
	/* Allocations of the lookup do not belong to the program; they hold the linker's messages
	 * about names not found. */
	left = heap_enter();
	if (look_up())
		atomic_store_explicit(&found, true, memory_order_release);
	else
		atomic_store_explicit(&looking, false, memory_order_release);
	heap_thread.left = left;
	errno = saved;
}

bool real_is_behind(void)
{
	uint64_t left = heap_enter();
	bool behind = same_library(dlsym(RTLD_DEFAULT, "malloc"), &real);

	heap_thread.left = left;
	return behind;
}

void real_seal(void)
{
	int saved = errno;

	if (atomic_load_explicit(&found, memory_order_acquire))
		mprotect(&real, sizeof(real), PROT_READ);
	errno = saved;
}
