/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing array of any type, such as `VEC(struct map) maps = {0};`. Items are plain values, and
 * the owner of the vector owns what they point to. A failed growth leaves the vector as it was.
 */
#ifndef CPROF_BASE_VEC_H
#define CPROF_BASE_VEC_H

#include <errno.h>
#include <stdlib.h>

#include "base/types.h"

#define VEC(type)           \
	struct {            \
		type *data; \
		size_t len; \
		size_t cap; \
	}

typedef VEC(u8) byte_vec;

/* Makes space for `want` items of `size` bytes. Returns 0 or -ENOMEM, also if the size
 * overflows. */
static inline int vec_grow(void **data, size_t *cap, size_t want, size_t size)
{
	size_t bytes, grown = *cap ? *cap : 8;
	void *fresh;

	if (want <= *cap)
		return 0;
	while (grown < want) {
		if (__builtin_mul_overflow(grown, (size_t)2, &grown))
			return -ENOMEM;
	}
	if (__builtin_mul_overflow(grown, size, &bytes))
		return -ENOMEM;
	fresh = realloc(*data, bytes);
	if (!fresh)
		return -ENOMEM;
	*data = fresh;
	*cap = grown;
	return 0;
}

#define vec_reserve(v, want) vec_grow((void **)&(v)->data, &(v)->cap, (want), sizeof(*(v)->data))

/* Appends one item (may be a compound literal). Returns 0 or -ENOMEM. */
#define vec_push(v, ...) \
	(vec_reserve((v), (v)->len + 1) ? -ENOMEM : ((v)->data[(v)->len++] = (__VA_ARGS__), 0))

#define vec_release(v)                   \
	do {                             \
		free((v)->data);         \
		(v)->data = NULL;        \
		(v)->len = (v)->cap = 0; \
	} while (0)

/* Frees the memory beyond `count` items where that is possible; the items there are lost. */
static inline void vec_trim(void **data, size_t *cap, size_t count, size_t size)
{
	void *less = count && count < *cap ? realloc(*data, count * size) : NULL;

	if (!less)
		return;
	*data = less;
	*cap = count;
}

#define vec_shrink(v, count) vec_trim((void **)&(v)->data, &(v)->cap, (count), sizeof(*(v)->data))

#define vec_for_each(v, it) \
	for (__typeof__((v)->data + 0) it = (v)->data; (size_t)(it - (v)->data) < (v)->len; it++)

#endif
