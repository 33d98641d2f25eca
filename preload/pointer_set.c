/* SPDX-License-Identifier: Apache-2.0 */
/* The set of sampled blocks, as buckets of atomic slots behind a filter of counters. */
#include "pointer_set.h"

#define BUCKET_SLOTS 8u /* 64 bytes, which is a cache line */
#define COUNTER_STUCK UINT8_MAX

/* The states of an address, in the highest bits of its slot. No address of user space has them. */
#define MOVING (UINT64_C(1) << 63)
#define LEAVING (UINT64_C(3) << 62)
#define LEAVING_TRIES 10000

static const struct table {
	uint32_t first; /* index of its first slot */
	uint32_t buckets;
} tables[POINTER_SET_TABLES] = {
	{0, POINTER_SET_SLOTS_0 / BUCKET_SLOTS},
	{POINTER_SET_SLOTS_0, POINTER_SET_SLOTS_1 / BUCKET_SLOTS},
	{POINTER_SET_SLOTS_0 + POINTER_SET_SLOTS_1, POINTER_SET_SLOTS_2 / BUCKET_SLOTS},
};

/* A counter that was full once no longer knows the number, so it stays full. */
static void filter_count(struct pointer_set *set, const void *p, int change)
{
	_Atomic uint8_t *counter = &set->filter[pointer_set_filter_index(p)];
	uint8_t have = atomic_load_explicit(counter, memory_order_relaxed);

	while (have != COUNTER_STUCK &&
	       !atomic_compare_exchange_weak_explicit(counter, &have, (uint8_t)(have + change),
						      memory_order_release, memory_order_relaxed))
		;
}

void pointer_set_mark(struct pointer_set *set, const void *p)
{
	atomic_store_explicit(&set->filter[pointer_set_filter_index(p)], COUNTER_STUCK,
			      memory_order_release);
}

/* This is the finalizer of MurmurHash3, because blocks of a size class differ in few bits. */
static uint64_t address_hash(const void *p)
{
	uint64_t h = (uintptr_t)p;

	h = (h ^ (h >> 33)) * UINT64_C(0xff51afd7ed558ccd);
	h = (h ^ (h >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ (h >> 33);
}

/* Returns the bucket for `choice` 0 or 1. */
static _Atomic uintptr_t *bucket(struct pointer_set *set, const struct table *table, uint64_t hash,
				 int choice)
{
	uint32_t index = (uint32_t)(choice ? hash >> 32 : hash) & (table->buckets - 1);

	return &set->slots[table->first + index * BUCKET_SLOTS];
}

/* Changes one slot from `from` to `to` and returns whether there was one. */
static bool bucket_swap(_Atomic uintptr_t *slots, uintptr_t from, uintptr_t to)
{
	for (uint32_t i = 0; i < BUCKET_SLOTS; i++) {
		uintptr_t have = atomic_load_explicit(&slots[i], memory_order_relaxed);

		if (have == from && atomic_compare_exchange_strong_explicit(&slots[i], &have, to,
									    memory_order_acq_rel,
									    memory_order_relaxed))
			return true;
	}
	return false;
}

static uint32_t bucket_used(_Atomic uintptr_t *slots)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < BUCKET_SLOTS; i++)
		used += atomic_load_explicit(&slots[i], memory_order_relaxed) != 0;
	return used;
}

/* Uses the emptier bucket, so the first address is refused when three quarters of the slots are
 * full, and not when one is. */
static bool table_add(struct pointer_set *set, const struct table *table, uint64_t hash,
		      uintptr_t p)
{
	_Atomic uintptr_t *one = bucket(set, table, hash, 0);
	_Atomic uintptr_t *other = bucket(set, table, hash, 1);
	bool swapped = bucket_used(other) < bucket_used(one);

	return bucket_swap(swapped ? other : one, 0, p) || bucket_swap(swapped ? one : other, 0, p);
}

/* Replaces `p` by `to`, in whichever table it is. */
static bool replace(struct pointer_set *set, uint64_t hash, uintptr_t p, uintptr_t to)
{
	uint32_t beyond = atomic_load_explicit(&set->beyond, memory_order_acquire);

	for (uint32_t t = 0; t <= beyond; t++) {
		if (bucket_swap(bucket(set, &tables[t], hash, 0), p, to) ||
		    bucket_swap(bucket(set, &tables[t], hash, 1), p, to))
			return true;
	}
	return false;
}

static void need_table(struct pointer_set *set, uint32_t t)
{
	uint32_t have = atomic_load_explicit(&set->beyond, memory_order_relaxed);

	while (have < t &&
	       !atomic_compare_exchange_weak_explicit(&set->beyond, &have, t, memory_order_release,
						      memory_order_relaxed))
		;
}

/* The other thread only has to fire a probe. But it may be preempted, or be one of a parent that
 * has forked, or this may be its own signal handler, so the wait is bounded. */
static bool await_left(struct pointer_set *set, uint64_t hash, uintptr_t p)
{
	for (int i = 0; i < LEAVING_TRIES; i++) {
		if (!replace(set, hash, p | LEAVING, p | LEAVING))
			return true;
	}
	return false;
}

enum pointer_set_added pointer_set_add(struct pointer_set *set, const void *p)
{
	uint64_t hash = address_hash(p);

	if (pointer_set_may_hold(set, p)) {
		if (replace(set, hash, (uintptr_t)p, (uintptr_t)p) ||
		    replace(set, hash, (uintptr_t)p | MOVING, (uintptr_t)p))
			return POINTER_SET_THERE;
		if (!await_left(set, hash, (uintptr_t)p))
			return POINTER_SET_FULL;
	}
	filter_count(set, p, 1);
	for (uint32_t t = 0; t < POINTER_SET_TABLES; t++) {
		need_table(set, t);
		if (table_add(set, &tables[t], hash, (uintptr_t)p))
			return POINTER_SET_ADDED;
	}
	filter_count(set, p, -1);
	return POINTER_SET_FULL;
}

/* Whoever has got the address of a block that moves away, and frees it, ends the old block. */
bool pointer_set_remove(struct pointer_set *set, const void *p)
{
	uint64_t hash = address_hash(p);

	if (!p ||
	    (!replace(set, hash, (uintptr_t)p, 0) && !replace(set, hash, (uintptr_t)p | MOVING, 0)))
		return false;
	filter_count(set, p, -1);
	return true;
}

bool pointer_set_move(struct pointer_set *set, const void *p)
{
	return p && replace(set, address_hash(p), (uintptr_t)p, (uintptr_t)p | MOVING);
}

void pointer_set_stay(struct pointer_set *set, const void *p)
{
	replace(set, address_hash(p), (uintptr_t)p | MOVING, (uintptr_t)p);
}

bool pointer_set_leave(struct pointer_set *set, const void *p)
{
	return replace(set, address_hash(p), (uintptr_t)p | MOVING, (uintptr_t)p | LEAVING);
}

void pointer_set_left(struct pointer_set *set, const void *p)
{
	if (replace(set, address_hash(p), (uintptr_t)p | LEAVING, 0))
		filter_count(set, p, -1);
}
