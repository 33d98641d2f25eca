/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Keeps the locks that each thread holds. The entries of one thread are a list, newest first. So
 * they are removed when the thread ends or runs another program, and a thread that never releases
 * what it takes (a semaphore that another thread posts) keeps a bounded number of them.
 */
#ifndef CPROF_BPF_HELDS_BPF_H
#define CPROF_BPF_HELDS_BPF_H

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct held_key);
	__type(value, struct held);
} helds SEC(".maps");

#define HOLDS_PER_THREAD 1024

/* The kernel removes it with the thread. Only the thread itself changes it, in probes. */
struct hold_thread {
	u64 asked; /* the lock that it last requested */
	u64 newest, oldest; /* locks that it holds; 0 for none */
	u32 holds;
	struct global_pid tid; /* 0 if not filled in yet */
	struct proc_pid proc_tgid;
	struct inner_pid inner;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct hold_thread);
} hold_threads SEC(".maps");

/*
 * Removes what was kept for a recording that has ended, before the programs serve another one. User
 * space cannot list it.
 */
SEC("iter/task")
int forget_threads(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (task)
		bpf_task_storage_delete(&hold_threads, task);
	return 0;
}

static __always_inline struct hold_thread *hold_thread_of(struct task_struct *task)
{
	return bpf_task_storage_get(&hold_threads, task, NULL, 0);
}

static __always_inline struct hold_thread *hold_thread_make(struct task_struct *task)
{
	struct hold_thread *thread =
		bpf_task_storage_get(&hold_threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (thread && !thread->tid.nr) {
		thread->tid = global_tid(task);
		thread->proc_tgid = proc_tgid(task);
		thread->inner = inner_tid(task);
	}
	return thread;
}

static __always_inline struct held_key held_key_of(u64 object, struct task_struct *task,
						   const struct hold_thread *thread)
{
	return (struct held_key){.object = object, .tgid = global_tgid(task), .tid = thread->tid};
}

static __always_inline struct held *held_other(const struct held_key *key, u64 object)
{
	struct held_key other = *key;

	other.object = object;
	return object ? bpf_map_lookup_elem(&helds, &other) : NULL;
}

/* The compiler may compute the address of a field before the check for NULL, which the verifier
 * refuses. So the pointer is used through this after the check. */
static __always_inline struct held *checked(struct held *h)
{
	__asm__ volatile("" : "+r"(h));
	return h;
}

static __always_inline void held_delete(struct hold_thread *thread, const struct held_key *key,
					const struct held *h)
{
	struct held *older = held_other(key, h->older), *newer = held_other(key, h->newer);

	if (older)
		checked(older)->newer = h->newer;
	else
		thread->oldest = h->newer;
	if (newer)
		checked(newer)->older = h->older;
	else
		thread->newest = h->older;
	thread->holds--;
	bpf_map_delete_elem(&helds, key);
}

/* Makes it the newest one of the thread; `fresh` is complete except for its neighbours. */
static __always_inline void held_add(struct hold_thread *thread, const struct held_key *key,
				     struct held *fresh)
{
	struct held_key oldest = *key;
	struct held *h;

	oldest.object = thread->oldest;
	h = thread->holds >= HOLDS_PER_THREAD ? bpf_map_lookup_elem(&helds, &oldest) : NULL;
	if (h) {
		held_delete(thread, &oldest, h);
		stat_add(STAT_LOST_HOLD, 1);
	}
	fresh->older = thread->newest;
	fresh->newer = 0;
	if (bpf_map_update_elem(&helds, key, fresh, BPF_NOEXIST)) {
		stat_add(STAT_LOST_WAIT, 1);
		return;
	}
	h = held_other(key, thread->newest);
	if (h)
		h->newer = key->object;
	else
		thread->oldest = key->object;
	thread->newest = key->object;
	thread->holds++;
}

/* The thread ends or runs another program, so its locks are gone or have no owner. */
static __always_inline void held_forget_all(struct hold_thread *thread, struct task_struct *task)
{
	struct held_key key = held_key_of(thread->newest, task, thread);

	stat_add(STAT_LOST_HOLD, thread->holds);
	for (int i = 0; i < HOLDS_PER_THREAD; i++) {
		struct held *h = bpf_map_lookup_elem(&helds, &key);
		u64 older = h ? h->older : 0;

		if (!h)
			break;
		bpf_map_delete_elem(&helds, &key);
		key.object = older;
	}
	thread->newest = thread->oldest = 0;
	thread->holds = 0;
}

#endif
