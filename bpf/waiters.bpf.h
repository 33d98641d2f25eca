/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Records which threads wait for which lock, because the thread that releases a lock is charged
 * with the time of all of them (lock_queue.h).
 *
 * A hash map of locks could not be emptied. When the last waiter leaves and the entry is deleted,
 * another CPU may have looked it up already, and would count in memory that belongs to another lock
 * by then. So the table is an array of sets whose slots stay in place, and a slot without waiters
 * is reused for the next lock that needs one. A slot with waiters is pinned. A thread that joins a
 * queue checks afterwards whether the slot still belongs to its lock, and leaves again if it does
 * not.
 */
#ifndef CPROF_BPF_WAITERS_BPF_H
#define CPROF_BPF_WAITERS_BPF_H

#include "lock_queue.h"

#define LOCK_WAYS 8u /* slots of a set; a power of two */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LOCK_SLOTS);
	__type(key, u32);
	__type(value, struct lock_slot);
} locks SEC(".maps");

u64 clock_base; /* bpf_ktime_get_ns() when the recording began */

#define SWAP_TRIES 8
#define CLAIM_TRIES 64

static __always_inline u64 micros(u64 now)
{
	return (now - clock_base) / 1000;
}

static __always_inline u32 lock_hash(u64 object, struct global_pid tgid)
{
	return ((object ^ (u64)tgid.nr << 40) * 0x9e3779b97f4a7c15ull >> 40) & (LOCK_SLOTS - 1);
}

/* Returns the i-th slot of the set, beginning where this lock is likely to be. */
static __always_inline struct lock_slot *lock_way(u32 hash, u32 i)
{
	u32 at = (hash & ~(LOCK_WAYS - 1)) | ((hash + i) & (LOCK_WAYS - 1));

	return bpf_map_lookup_elem(&locks, &at);
}

static __always_inline bool is_slot_of(const struct lock_slot *slot, u64 object,
				       struct global_pid tgid)
{
	return slot->object == object && slot->tgid.nr == tgid.nr;
}

static __always_inline struct lock_slot *lock_find(u64 object, struct global_pid tgid)
{
	u32 hash = lock_hash(object, tgid);

	for (u32 i = 0; i < LOCK_WAYS; i++) {
		struct lock_slot *slot = lock_way(hash, i);

		if (!slot || is_slot_of(slot, object, tgid))
			return slot;
	}
	return NULL;
}

/* ---- changing a queue ---- */

static __always_inline bool slot_swap(struct lock_slot *slot, u64 old, u64 queue)
{
	return __sync_val_compare_and_swap(&slot->queue, old, queue) == old;
}

static __always_inline bool slot_join(struct lock_slot *slot, u64 from)
{
	for (int i = 0; i < SWAP_TRIES; i++) {
		u64 old = *(volatile u64 *)&slot->queue;

		if (lock_queue_number(old) >= LOCK_QUEUE_MAX)
			return false;
		if (slot_swap(slot, old, lock_queue_join(old, micros(from))))
			return true;
	}
	return false;
}

static __always_inline void slot_leave(struct lock_slot *slot, u64 from)
{
	for (int i = 0; i < SWAP_TRIES; i++) {
		u64 old = *(volatile u64 *)&slot->queue;

		if (!lock_queue_number(old) || old == LOCK_QUEUE_CLAIMED ||
		    slot_swap(slot, old, lock_queue_leave(old, micros(from))))
			return;
	}
}

/* Returns the time from which on a waiter of the slot counts. */
static __always_inline u64 slot_since(const struct lock_slot *slot, u64 since)
{
	return since > slot->released ? since : slot->released;
}

/* ---- a slot for a lock that has none ---- */

/* Returns the one without waiters that was released first. */
static __always_inline struct lock_slot *idlest_slot(u32 hash)
{
	struct lock_slot *idlest = NULL;

	for (u32 i = 0; i < LOCK_WAYS; i++) {
		struct lock_slot *slot = lock_way(hash, i);

		if (slot && !slot->queue && (!idlest || slot->released < idlest->released))
			idlest = slot;
	}
	return idlest;
}

/* Takes it over with its first waiter. It is false if every lock of the set has some. */
static __always_inline bool slot_take_over(u64 object, struct global_pid tgid, u64 since)
{
	struct lock_slot *slot = idlest_slot(lock_hash(object, tgid));

	/* Another CPU may have looked it up for its last lock, and may join it now. */
	if (!slot || !slot_swap(slot, 0, LOCK_QUEUE_CLAIMED))
		return false;
	slot->object = object;
	slot->tgid = tgid;
	slot->released = 0;
	slot->owned_object = 0;
	arch_order_stores();
	*(volatile u64 *)&slot->queue = lock_queue_of(1, micros(since));
	return true;
}

/* One CPU at a time assigns slots of a set, so no lock gets two. */
static __always_inline bool join_new(u64 object, struct global_pid tgid, u64 since)
{
	struct lock_slot *first = lock_way(lock_hash(object, tgid) & ~(LOCK_WAYS - 1), 0), *slot;
	bool joined;
	int i = 0;

	if (!first)
		return false;
	while (__sync_lock_test_and_set(&first->set_busy, 1)) {
		if (++i == CLAIM_TRIES)
			return false;
	}
	slot = lock_find(object, tgid);
	joined = slot ? slot_join(slot, slot_since(slot, since))
		      : slot_take_over(object, tgid, since);
	__asm__ volatile("" ::: "memory");
	*(volatile u32 *)&first->set_busy = 0;
	return joined;
}

/* ---- called by the scheduler's programs ---- */

/* t->since is the time from which on it waits; after a futile wake-up, that is the time of the
 * wake-up. */
static __always_inline void queue_waiter(struct thread_wait *t)
{
	struct global_pid tgid = t->tgid;
	struct lock_slot *slot = lock_find(t->object, tgid);

	if (slot) {
		t->since = slot_since(slot, t->since);
		t->queued = slot_join(slot, t->since);
		if (t->queued && !is_slot_of(slot, t->object, tgid)) {
			slot_leave(slot, t->since);
			t->queued = 0;
		}
	}
	if (!t->queued)
		t->queued = join_new(t->object, tgid, t->since);
	if (!t->queued)
		stat_add(STAT_LOST_LOCK, 1);
}

/* Removes a waiter that was not woken; its time so far is charged to no thread. */
static __always_inline void unqueue_waiter(struct thread_wait *t)
{
	struct lock_slot *slot;

	if (!has_mode(WAIT_MODE_MUTEX) || !t->queued)
		return;
	t->queued = 0;
	slot = lock_find(t->object, t->tgid);
	if (slot)
		slot_leave(slot, slot_since(slot, t->since));
}

/* Returns what all waiters have waited since the last release; one of them, t, leaves. */
static __always_inline u64 release_waiters(struct thread_wait *t, u64 now)
{
	struct lock_slot *slot = t->queued ? lock_find(t->object, t->tgid) : NULL;
	u64 own = passed(t->since, now);

	if (!slot)
		return own;
	t->queued = 0;
	for (int i = 0; i < SWAP_TRIES; i++) {
		u64 old = *(volatile u64 *)&slot->queue;

		if (!lock_queue_number(old) || old == LOCK_QUEUE_CLAIMED)
			return own;
		if (!slot_swap(slot, old, lock_queue_release(old, micros(now))))
			continue;
		slot->released = now;
		return lock_queue_waited(old, micros(now)) * 1000;
	}
	return own;
}

#endif
