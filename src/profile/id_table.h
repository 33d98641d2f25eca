/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a hash to the numbers of items that live in somebody else's vector: open addressing, linear
 * probing, 8 bytes a slot. The owner compares items; the table only remembers where they are, so
 * nothing is allocated per item (a profile of a million stacks would feel it).
 */
#ifndef CPROF_PROFILE_ID_TABLE_H
#define CPROF_PROFILE_ID_TABLE_H

#include "base/types.h"

#define ID_TABLE_MAX_ID (UINT32_MAX - 1)

struct id_slot {
	u32 hash;
	u32 id_plus_one; /* 0: free */
};

struct id_table {
	struct id_slot *slots;
	size_t cap; /* a power of two, or 0 */
	size_t len;
};

void id_table_release(struct id_table *t);

/* Makes room for one more item, so that the next id_table_add cannot fail; 0 or -ENOMEM. */
int id_table_reserve(struct id_table *t) MUST_CHECK;

/* The first item of this hash that `same` accepts, or -1. */
s64 id_table_find(const struct id_table *t, u32 hash, bool (*same)(const void *arg, u32 id),
		  const void *arg);

/* Room must have been reserved; `id` at most ID_TABLE_MAX_ID. */
void id_table_add(struct id_table *t, u32 hash, u32 id);

/* Continue a hash over `len` bytes; begin with any seed. The same in every process. */
u64 hash_bytes(u64 seed, const void *data, size_t len);
/*
 * The same for tables: another one in every process. Names, ids and labels come from files whose author
 * could choose millions of them with one hash, and linear probing would take the square of that.
 */
u64 hash_keyed(u64 seed, const void *data, size_t len);

static inline u32 hash_fold(u64 hash)
{
	return (u32)(hash ^ (hash >> 32));
}

#endif
