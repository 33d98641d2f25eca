/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Who waits for which lock: whoever releases it is charged with the time of all of them (struct lock_waiters). */
#ifndef CPROF_BPF_WAITERS_BPF_H
#define CPROF_BPF_WAITERS_BPF_H

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct lock_key);
	__type(value, struct lock_waiters);
} locks SEC(".maps");

u64 clock_base; /* bpf_ktime_get_ns() when recording began */

#define SWAP_TRIES 8

static __always_inline u64 micros(u64 now)
{
	return (now - clock_base) / 1000;
}

static __always_inline struct lock_waiters *waiters_of(struct task_struct *sleeper, u64 object,
						       bool make)
{
	struct lock_key key = {.object = object, .tgid = global_tgid(sleeper)};
	struct lock_waiters none = {}, *w = bpf_map_lookup_elem(&locks, &key);

	if (w || !make)
		return w;
	bpf_map_update_elem(&locks, &key, &none, BPF_NOEXIST);
	w = bpf_map_lookup_elem(&locks, &key);
	if (!w)
		stat_add(STAT_LOST_LOCK, 1);
	return w;
}

/* t->since is the time from which it waits: for who was woken in vain, since then. */
static __always_inline void queue_waiter(struct task_struct *task, struct thread_wait *t)
{
	struct lock_waiters *w = waiters_of(task, t->object, true);

	if (!w)
		return;
	if (t->since < w->released)
		t->since = w->released;
	__sync_fetch_and_add(&w->packed, (1ull << LOCK_WAITERS_SHIFT) + micros(t->since));
	t->queued = 1;
}

/* A waiter that nobody woke: its time so far is nobody's. */
static __always_inline void unqueue_waiter(struct task_struct *task, struct thread_wait *t)
{
	struct lock_waiters *w;
	u64 from;

	if (!t->queued)
		return;
	t->queued = 0;
	w = waiters_of(task, t->object, false);
	if (!w)
		return;
	from = t->since > w->released ? t->since : w->released;
	__sync_fetch_and_sub(&w->packed, (1ull << LOCK_WAITERS_SHIFT) + micros(from));
}

/* What all waiters have waited since the last release; one of them, t, leaves. */
static __always_inline u64 release_waiters(struct task_struct *sleeper, struct thread_wait *t,
					   u64 now)
{
	struct lock_waiters *w = t->queued ? waiters_of(sleeper, t->object, false) : NULL;
	u64 own = passed(t->since, now), at = micros(now);

	if (!w)
		return own;
	t->queued = 0;
	for (int i = 0; i < SWAP_TRIES; i++) {
		u64 old = w->packed, n = old >> LOCK_WAITERS_SHIFT;
		u64 sum = old & ((1ull << LOCK_WAITERS_SHIFT) - 1), next;

		if (!n)
			return own;
		next = (n - 1) << LOCK_WAITERS_SHIFT | (n - 1) * at;
		if (__sync_val_compare_and_swap(&w->packed, old, next) != old)
			continue;
		w->released = now;
		return n * at > sum ? (n * at - sum) * 1000 : 0;
	}
	return own;
}

#endif
