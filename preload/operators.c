/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operators new and delete of C++ in front of those that the program would use. They are here for
 * allocators whose library defines its own (jemalloc, tcmalloc), which never come through malloc; such a call is
 * sampled as malloc is. Those of the C++ library do come through malloc, and are only handed on.
 *
 * A library's search for symbols begins with what all share, so these are found first also by
 * a plugin that alone brought its C++ library, where they cannot see it. There they do as that
 * library would: malloc and free, and only to throw they look for the caller's own operator.
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
 * By the nothrow form, as an exception would leave the countdown held. Only when that has no memory is the
 * form that was asked for called, to do what it does then. Inline, so that the operator stays on the stack.
 */
static inline __attribute__((always_inline)) void *new_own(enum real_operator op, uintptr_t size,
							   uintptr_t b, uintptr_t c)
{
	uint64_t left = heap_enter();
	void *p = real.call.operators[throws(op) ? op + 1 : op](size, b, c);

	heap_leave(left, p, size);
	return p || !throws(op) ? p : real.call.operators[op](size, b, c);
}

/* The operator that the code at `caller` would use without this library; its library then stays. */
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
	/* Not an array form: the C++ library's would call the other here, and be the caller. */
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
