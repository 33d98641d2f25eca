/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Keeps what every thread of the target is doing, and takes the stack with which it stops
 * running. */
#ifndef CPROF_BPF_WAIT_TABLE_BPF_H
#define CPROF_BPF_WAIT_TABLE_BPF_H

#include "cause.bpf.h"
#include "wait_state.h"
#include "kernel_path.bpf.h"

const volatile struct wait_config wait_settings;

/* This is the bpf_ktime_get_ns() from which on time counts; the threads that slept before are
 * listed then. */
u64 begun = ~0ull;

static __always_inline struct wait_rules rules_now(void)
{
	return (struct wait_rules){.begun = begun, .min_ns = wait_settings.min_ns};
}

static __always_inline u64 passed(u64 from, u64 to)
{
	return wait_passed(begun, from, to);
}

static __always_inline void count_wait(const struct wait_count *n)
{
	if (n->counts)
		count_add(&n->key, n->samples, n->ns);
}

/* Its key is the tid. Where nothing may allocate under the run queue's lock, user space has all
 * entries allocated from the start (features_maps_grow()). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, struct global_pid);
	__type(value, struct thread_wait);
} thread_waits SEC(".maps");

/* For mutex --owners, this finds threads whose own namespace has another number for them, by that
 * number. */
struct inner_thread {
	struct global_pid tgid;
	struct inner_pid tid;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, struct inner_thread);
	__type(value, struct global_pid);
} inner_threads SEC(".maps");

static __always_inline bool has_mode(u32 mode)
{
	return wait_settings.mode & mode;
}

static __always_inline void inner_thread_add(const struct thread_wait *t, struct global_pid tid)
{
	struct inner_thread key = {.tgid = t->tgid, .tid = t->inner};

	if (has_mode(WAIT_MODE_OWNERS) && key.tid.nr != tid.nr)
		bpf_map_update_elem(&inner_threads, &key, &tid, BPF_ANY);
}

static __always_inline void inner_thread_delete(const struct thread_wait *t, struct global_pid tid)
{
	struct inner_thread key = {.tgid = t->tgid, .tid = t->inner};

	if (has_mode(WAIT_MODE_OWNERS) && key.tid.nr != tid.nr)
		bpf_map_delete_elem(&inner_threads, &key);
}

static __always_inline struct thread_wait *wait_of(struct task_struct *task)
{
	struct global_pid tid = global_tid(task);

	return bpf_map_lookup_elem(&thread_waits, &tid);
}

/* It is false if the table is full, which is counted. */
static __always_inline bool wait_put(struct global_pid tid, const struct thread_wait *t)
{
	if (bpf_map_update_elem(&thread_waits, &tid, t, BPF_NOEXIST)) {
		stat_add(STAT_LOST_WAIT, 1);
		return false;
	}
	inner_thread_add(t, tid);
	return true;
}

static __noinline struct thread_wait *wait_new(struct task_struct *task, u64 now)
{
	struct thread_wait fresh = {
		.since = now,
		.running = 1,
		.tgid = global_tgid(task),
		.proc_tgid = proc_tgid(task),
		.proc_tid = proc_tid(task),
		.inner = inner_tid(task),
	};
	struct global_pid tid = global_tid(task);

	return wait_put(tid, &fresh) ? bpf_map_lookup_elem(&thread_waits, &tid) : NULL;
}

static __always_inline void wait_delete(struct global_pid tid)
{
	struct thread_wait *t = bpf_map_lookup_elem(&thread_waits, &tid);

	if (!t)
		return;
	inner_thread_delete(t, tid);
	bpf_map_delete_elem(&thread_waits, &tid);
}

/* Takes the current thread's stack, to be counted when the wait is over. It is false if the stack
 * is lost. */
static __always_inline bool take_stack(void *ctx, struct task_struct *task, u32 path,
				       struct sample_key *key, u64 now)
{
	struct scratch *s = stack_begin();

	if (!s)
		return false;
	if (settings.kernel && path)
		take_kernel_path(ctx, s, path);
	if (settings.user)
		take_user_stack(task, &s->state);
	return stack_end(s, task, key, now, COUNTED_LATER);
}

#endif
