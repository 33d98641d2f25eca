/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maps a hash to the numbers of items that live in somebody else's vector, with open addressing,
 * linear probing and 8 bytes a slot. The owner compares items and the table only records where they
 * are, so nothing is allocated per item, which would be slow for a profile of a million stacks.
 */
#ifndef CPROF_PROFILE_ID_TABLE_H
#define CPROF_PROFILE_ID_TABLE_H

#include "base/types.h"

#define ID_TABLE_MAX_ID (UINT32_MAX - 1)

struct id_slot {
	u32 hash;
	u32 id_plus_one; /* 0 for a free slot */
};

struct id_table {
	struct id_slot *slots;
	size_t cap; /* a power of two, or 0 */
	size_t len;
};

void id_table_release(struct id_table *t);

/* Makes space for one more item, so that the next id_table_add cannot fail. Returns 0 or
 * -ENOMEM. */
int id_table_reserve(struct id_table *t) MUST_CHECK;

/* Returns the first item of this hash that `same` accepts, or -1. */
s64 id_table_find(const struct id_table *t, u32 hash, bool (*same)(const void *arg, u32 id),
		  const void *arg);

/* The space must have been reserved, and `id` is at most ID_TABLE_MAX_ID. */
void id_table_add(struct id_table *t, u32 hash, u32 id);

/* Continues a hash over `len` bytes; any initial value will do. It is the same in every process. */
u64 hash_bytes(u64 seed, const void *data, size_t len);
/*
 * Does the same for tables, with a different hash in every process. Names, ids and labels come from
 * files whose author could choose millions of them with one hash, for which linear probing would
 * take quadratic time.
 */
u64 hash_keyed(u64 seed, const void *data, size_t len);

static inline u32 hash_fold(u64 hash)
{
	return (u32)(hash ^ (hash >> 32));
}

#endif
