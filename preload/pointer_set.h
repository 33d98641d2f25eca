/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sampled blocks that are not freed yet. This is a set of addresses of fixed size, without
 * locks, that all threads, signal handlers and forked children may use at any time. In zeroed
 * static memory it is empty.
 *
 * A free checks the filter first. It has one byte for each 64 bytes of address space and repeats
 * every 8 MiB, so that frees of neighbouring blocks read the same cache line. The slots are in
 * three tables that grow by factors of 16 and 32, and a larger one is used only after the smaller
 * ones were full. An address has two buckets of eight slots (one cache line each) in every table
 * and never moves, so every change is a single CAS.
 */
#ifndef CPROF_PRELOAD_POINTER_SET_H
#define CPROF_PRELOAD_POINTER_SET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define POINTER_SET_TABLES 3
#define POINTER_SET_SLOTS_0 (1u << 12)
#define POINTER_SET_SLOTS_1 (1u << 16)
#define POINTER_SET_SLOTS_2 (1u << 21)
#define POINTER_SET_SLOTS (POINTER_SET_SLOTS_0 + POINTER_SET_SLOTS_1 + POINTER_SET_SLOTS_2)
#define POINTER_SET_FILTER_BITS 17

struct pointer_set {
	_Alignas(64) _Atomic uint8_t filter[1u << POINTER_SET_FILTER_BITS];
	_Alignas(64) _Atomic uintptr_t slots[POINTER_SET_SLOTS];
	_Atomic uint32_t beyond; /* how many tables after the first were ever needed */
};

enum pointer_set_added {
	POINTER_SET_ADDED,
	POINTER_SET_THERE, /* it was already there, so its free was never seen */
	/* not added: no slot of its buckets is free, or it does not leave the set in time */
	POINTER_SET_FULL,
};

static inline uint32_t pointer_set_filter_index(const void *p)
{
	return (uint32_t)((uintptr_t)p >> 6) & ((1u << POINTER_SET_FILTER_BITS) - 1);
}

/*
 * False means that it is certainly not in the set. This is a plain read of one byte. The
 * allocator's own synchronization orders it, because the block's address reached the freeing thread
 * that way, and compilers generate more instructions for an atomic read.
 */
static inline bool pointer_set_may_hold(const struct pointer_set *set, const void *p)
{
	return *(const uint8_t *)&set->filter[pointer_set_filter_index(p)] != 0;
}

/* Makes pointer_set_may_hold() true for `p` forever, without using a slot. */
void pointer_set_mark(struct pointer_set *set, const void *p);

/* `p` is not NULL and belongs to the caller, so nobody else adds or removes it at the same time. */
enum pointer_set_added pointer_set_add(struct pointer_set *set, const void *p);

/* Returns whether it was in the set, moving or not. NULL never is. */
bool pointer_set_remove(struct pointer_set *set, const void *p);

/*
 * These are for a realloc(), which frees its block only if it succeeds. By then another thread may
 * have been given the address, so exactly one of the two must report that the old block has ended,
 * and before the new one is reported.
 *
 * pointer_set_move() marks an address before the call, and returns whether it was in the set. Until
 * pointer_set_stay() (the call failed) or pointer_set_leave() (it succeeded), the thread that gets
 * the address may take over the report: pointer_set_add() then returns POINTER_SET_THERE, and
 * pointer_set_remove() true. Otherwise pointer_set_leave() returns true. To add the address again
 * then waits for pointer_set_left(), which is called when the end has been reported.
 */
bool pointer_set_move(struct pointer_set *set, const void *p);
void pointer_set_stay(struct pointer_set *set, const void *p);
bool pointer_set_leave(struct pointer_set *set, const void *p);
void pointer_set_left(struct pointer_set *set, const void *p);

#endif
