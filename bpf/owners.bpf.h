/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Implements mutex --owners: what the owner of a lock does while others wait for it. The lock's
 * memory names the owner by the number that the thread has in its own PID namespace. glibc's
 * pthread_mutex_t keeps it 8 bytes after the futex word (sysdeps/nptl/bits/struct_mutex.h), and PI
 * and robust futexes in the word itself (include/uapi/linux/futex.h).
 *
 * A sleeping owner's stack is already known. A running owner is flagged, and its stack is taken at
 * the next tick on its CPU or when it goes to sleep, provided it still holds the lock.
 */
#ifndef CPROF_BPF_OWNERS_BPF_H
#define CPROF_BPF_OWNERS_BPF_H

/* Reads the lock's words from the running task; false if they cannot be read. */
static __always_inline bool read_lock(u64 object, u32 words[OWNER_WORD + 1])
{
	return !bpf_probe_read_user(words, (OWNER_WORD + 1) * sizeof(u32), (void *)object);
}

static __always_inline bool owns(const u32 words[OWNER_WORD + 1], struct inner_pid tid)
{
	return words[OWNER_WORD] == tid.nr || (words[0] & FUTEX_TID_MASK) == tid.nr;
}

/* Most processes are in the initial namespace, where both numbers of a thread are the same. */
static __always_inline struct thread_wait *thread_by_inner(struct inner_pid inner,
							   struct global_pid tgid)
{
	struct inner_thread key = {.tgid = tgid, .tid = inner};
	struct global_pid same = {inner.nr}, *tid;
	struct thread_wait *t = bpf_map_lookup_elem(&thread_waits, &same);

	if (t && t->tgid.nr == tgid.nr && t->inner.nr == inner.nr)
		return t;
	tid = bpf_map_lookup_elem(&inner_threads, &key);
	return tid ? bpf_map_lookup_elem(&thread_waits, tid) : NULL;
}

static __always_inline void owner_is(struct lock_slot *slot, u64 object,
				     const struct sample_key *key)
{
	slot->owner = *key;
	slot->owned_object = object;
}

/* The running thread is about to wait for a lock, so this finds out what the lock's owner is
 * doing. */
static __always_inline void ask_owner(const struct thread_wait *t)
{
	struct lock_slot *slot = t->queued ? lock_find(t->object, t->tgid) : NULL;
	struct thread_wait *owner;
	u32 words[OWNER_WORD + 1];

	if (!slot || !read_lock(t->object, words))
		return;
	/* For other waiters of this lock it was already found out. */
	if (slot->owned_object == t->object && lock_queue_number(slot->queue) > 1)
		return;
	owner = thread_by_inner((struct inner_pid){words[OWNER_WORD]}, t->tgid);
	if (!owner)
		owner = thread_by_inner((struct inner_pid){words[0] & FUTEX_TID_MASK}, t->tgid);
	if (!owner)
		return;
	if (!owner->running && owner->counted)
		owner_is(slot, t->object, &owner->key);
	else
		owner->asked = t->object;
}

/* The running thread's stack was taken, and it may be wanted because the thread owns a lock. */
static __always_inline void answer(struct thread_wait *t, const struct sample_key *key)
{
	struct lock_slot *slot = lock_find(t->asked, t->tgid);
	u32 words[OWNER_WORD + 1];

	if (slot && slot->queue && read_lock(t->asked, words) && owns(words, t->inner))
		owner_is(slot, t->asked, key);
	t->asked = 0;
}

/* A release invalidates what is known. The woken thread may be the next owner while the others
 * still wait. */
static __always_inline void owner_leaves(struct thread_wait *t, u64 delay)
{
	struct lock_slot *slot = lock_find(t->object, t->tgid);
	struct sample_key key;

	if (!slot)
		return;
	if (slot->owned_object == t->object) {
		key = slot->owner;
		key.object = t->object;
		key.cause = WAIT_LOCK;
		key.outcome = WAIT_OWNED;
		slot->owned_object = 0;
		count_add(&key, 1, delay);
	}
	t->asked = lock_queue_number(slot->queue) ? t->object : 0;
}

#endif
