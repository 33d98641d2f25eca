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
#include <stdint.h>

/*
 * The C++ operators by their mangled names (Itanium C++ ABI, 5.1.5). new takes a size, then an alignment where it has
 * one; each form is followed by its nothrow form, and by turns two have no alignment and two have.
 */
#define REAL_NEW(X)                           \
	X(_Znwm)                              \
	X(_ZnwmRKSt9nothrow_t)                \
	X(_ZnwmSt11align_val_t)               \
	X(_ZnwmSt11align_val_tRKSt9nothrow_t) \
	X(_Znam)                              \
	X(_ZnamRKSt9nothrow_t)                \
	X(_ZnamSt11align_val_t)               \
	X(_ZnamSt11align_val_tRKSt9nothrow_t)

#define REAL_DELETE(X)                         \
	X(_ZdlPv)                              \
	X(_ZdlPvm)                             \
	X(_ZdlPvRKSt9nothrow_t)                \
	X(_ZdlPvSt11align_val_t)               \
	X(_ZdlPvmSt11align_val_t)              \
	X(_ZdlPvSt11align_val_tRKSt9nothrow_t) \
	X(_ZdaPv)                              \
	X(_ZdaPvm)                             \
	X(_ZdaPvRKSt9nothrow_t)                \
	X(_ZdaPvSt11align_val_t)               \
	X(_ZdaPvmSt11align_val_t)              \
	X(_ZdaPvSt11align_val_tRKSt9nothrow_t)

#define REAL_OPERATORS(X) REAL_NEW(X) REAL_DELETE(X)

#define REAL_OPERATOR_INDEX_(name) REAL##name,
enum real_operator { REAL_OPERATORS(REAL_OPERATOR_INDEX_) REAL_OPERATORS_N };
#define REAL_NEW_FORMS REAL_ZdlPv

/* All fit: three integer arguments lie in registers (x86-64 psABI 3.2.3) and who wants fewer does not look. */
typedef void *(*real_operator_fn)(uintptr_t a, uintptr_t b, uintptr_t c);

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
	/* NULL: in no library that is in reach of all, as when only a plugin brought its C++ library. */
	real_operator_fn operators[REAL_OPERATORS_N];
	/* A bit for each that is not a caller of malloc and free, but of the same library as these. */
	uint32_t own_operators;
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
