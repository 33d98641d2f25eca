/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wraps the C++ operators new and delete that the program would use. This is needed for allocators
 * whose library defines its own operators (jemalloc, tcmalloc), which never call malloc; such a
 * call is sampled as malloc is. The operators of the C++ library do call malloc, and those calls
 * are only forwarded.
 *
 * Symbol lookup begins with the global scope, so these operators are found first even by a plugin
 * that loaded its own C++ library locally, where they cannot see that library. There they do what
 * that library would do, with malloc and free, and look up the caller's own operator only to throw.
 */
#include "heap.h"
#include "real.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>

static bool is_own(enum real_operator op)
{
	return real.call.own_operators >> op & 1;
}

static bool throws(enum real_operator op)
{
	return op % 2 == 0;
}

static bool has_alignment(enum real_operator op)
{
	return op / 2 % 2 == 1;
}

/*
 * This calls the nothrow form, because an exception would skip restoring the countdown. Only if
 * that form has no memory is the requested form called, to do what it then does. It is inline, so
 * that the operator stays on the stack.
 */
static inline __attribute__((always_inline)) void *new_own(enum real_operator op, uintptr_t size,
							   uintptr_t b, uintptr_t c)
{
	uint64_t left = heap_enter();
	void *p = real.call.operators[throws(op) ? op + 1 : op](size, b, c);

	heap_leave(left, p, size);
	if (p || !throws(op))
		return p;
	/* It may succeed, because others have freed memory meanwhile. */
	p = real.call.operators[op](size, b, c);
	heap_leave(heap_enter(), p, size);
	return p;
}

/* Returns the operator that the code at `caller` would use without this library, and keeps its
 * library loaded. */
static real_operator_fn operator_of(const char *name, void *caller)
{
	void *library, *found = NULL;
	Dl_info info;

	if (!dladdr(caller, &info))
		return NULL;
	library = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
	if (library)
		found = dlsym(library, name);
	return found == dlsym(RTLD_DEFAULT, name) ? NULL : (real_operator_fn)found;
}

static RARE void *new_alone(enum real_operator op, uintptr_t size, uintptr_t b, uintptr_t c,
			    void *caller)
{
	real_operator_fn real_new;
	void *p;

	real_find();
	if (real.call.operators[op])
		return real.call.operators[op](size, b, c);
	p = has_alignment(op) ? memalign(b, size) : malloc(size ? size : 1);
	if (p || !throws(op))
		return p;
	/* This is never an array form, because that of the C++ library would call the other one
	 * here and become the caller. */
	real_new = operator_of(has_alignment(op) ? "_ZnwmSt11align_val_t" : "_Znwm", caller);
	if (!real_new)
		abort();
	return real_new(size, b, c);
}

static RARE void delete_alone(enum real_operator op, uintptr_t p, uintptr_t b, uintptr_t c)
{
	real_find();
	if (real.call.operators[op])
		real.call.operators[op](p, b, c);
	else
		real.call.free((void *)p);
}

#define NEW(name)                                                                                  \
	EXPORTED void *name(uintptr_t size, uintptr_t b, uintptr_t c)                              \
	{                                                                                          \
		if (UNLIKELY(!real.call.operators[REAL##name]))                                    \
			return new_alone(REAL##name, size, b, c, __builtin_return_address(0));     \
		return UNLIKELY(is_own(REAL##name)) ? new_own(REAL##name, size, b, c)              \
						    : real.call.operators[REAL##name](size, b, c); \
	}

#define DELETE(name)                                              \
	EXPORTED void name(uintptr_t p, uintptr_t b, uintptr_t c) \
	{                                                         \
		if (!heap_free((void *)p))                        \
			return;                                   \
		if (LIKELY(real.call.operators[REAL##name]))      \
			real.call.operators[REAL##name](p, b, c); \
		else                                              \
			delete_alone(REAL##name, p, b, c);        \
	}

REAL_NEW(NEW)
REAL_DELETE(DELETE)
