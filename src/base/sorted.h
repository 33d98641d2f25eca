/* SPDX-License-Identifier: Apache-2.0 */
/* Searches arrays that are sorted by a u64, which is the item itself or a field of it. */
#ifndef CPROF_BASE_SORTED_H
#define CPROF_BASE_SORTED_H

#include "base/types.h"

static inline size_t sorted_search(const void *items, size_t n, size_t size, size_t offset, u64 key)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (*(const u64 *)((const char *)items + mid * size + offset) < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Returns the index of the first item that is not below `key`, or `n`. */
static inline size_t sorted_from(const u64 *items, size_t n, u64 key)
{
	return sorted_search(items, n, sizeof(*items), 0, key);
}

/* The same for items that are sorted by their `field`. It does not compile for another type. */
#define sorted_from_by(items, n, field, key)                            \
	sorted_search((items), (n), sizeof(*(items)),                   \
		      __builtin_offsetof(__typeof__(*(items)), field) + \
			      _Generic((items)->field, u64 : 0),        \
		      (key))

/* Returns the index of the first item whose `field` is above `key`, or `n`. */
#define sorted_behind_by(items, n, field, key) \
	((key) == UINT64_MAX ? (n) : sorted_from_by(items, n, field, (key) + 1))

#endif
