/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What every thread of the target is doing, and counting under a stack that was taken earlier. */
#ifndef CPROF_BPF_WAIT_TABLE_BPF_H
#define CPROF_BPF_WAIT_TABLE_BPF_H

const volatile struct wait_config wait_settings;

/* By tid. Preallocated: nothing may allocate under the run queue's lock. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, u32);
	__type(value, struct thread_wait);
} thread_waits SEC(".maps");

static __always_inline struct thread_wait *wait_of(struct task_struct *task)
{
	u32 tid = task->pid;

	return bpf_map_lookup_elem(&thread_waits, &tid);
}

static __always_inline struct thread_wait *wait_new(struct task_struct *task, u64 now)
{
	struct thread_wait fresh = {.since = now, .running = 1, .tgid = task->tgid};
	u32 tid = task->pid;

	if (bpf_map_update_elem(&thread_waits, &tid, &fresh, BPF_NOEXIST)) {
		stat_add(STAT_LOST_WAIT, 1);
		return NULL;
	}
	return bpf_map_lookup_elem(&thread_waits, &tid);
}

static __always_inline void wait_delete(struct task_struct *task)
{
	u32 tid = task->pid;

	bpf_map_delete_elem(&thread_waits, &tid);
}

static __always_inline bool has_mode(u32 mode)
{
	return wait_settings.mode & mode;
}

/* Adds to a key whose frames have been sent; makes the entry again after a change of maps. */
static __always_inline void count_add(const struct sample_key *key, u64 samples, u64 weight)
{
	struct sample_count first = {.samples = samples, .weight = weight}, *count;
	long err;

	count = active_count(key);
	if (!count) {
		if (control.active_counts)
			err = bpf_map_update_elem(&counts_b, key, &first, BPF_NOEXIST);
		else
			err = bpf_map_update_elem(&counts_a, key, &first, BPF_NOEXIST);
		if (!err) {
			__sync_fetch_and_add(&control.active_keys, 1);
			return;
		}
		count = active_count(key);
	}
	if (!count) {
		stat_add(STAT_LOST_TABLE, samples);
		return;
	}
	__sync_fetch_and_add(&count->samples, samples);
	__sync_fetch_and_add(&count->weight, weight);
}

/* A number for one stack, which no hash of frames is likely to be. */
static __always_inline u64 ticket_of(u32 tid, u64 now)
{
	return (((u64)tid << 40) ^ now) * 0x9e3779b97f4a7c15ull | 1;
}

/*
 * Takes the current thread's stack and sends its frames, unless they are known, to be counted when the
 * wait is over. False: lost.
 */
static __always_inline bool take_stack(void *ctx, struct scratch *s, struct task_struct *task,
				       bool in_kernel, struct sample_key *key, u64 now)
{
	state_reset(&s->state);
	if (settings.kernel && in_kernel)
		take_kernel_stack(ctx, s);
	if (settings.user)
		take_user_stack(task, &s->state);
	if (!s->state.nframes)
		return false;
	stat_add(STAT_SAMPLES, 1);
	fill_key(key, &s->state);
	if (s->state.end == STACK_LOADING) {
		u64 ticket = ticket_of(task->pid, now);

		if (send_pending(&s->state, 0, ticket, task)) {
			stat_add(STAT_PENDING, 1);
			key->stack = ticket;
			return true;
		}
	}
	stat_add(STAT_ENDS_FIRST + s->state.end, 1);
	if (!active_count(key)) {
		if (!send_stack(s, key, task)) {
			stat_add(STAT_LOST_RING, 1);
			return false;
		}
		count_add(key, 0, 0);
	}
	return true;
}

/* The same in this CPU's scratch space. */
static __always_inline bool take_stack_now(void *ctx, struct task_struct *task, bool in_kernel,
					   struct sample_key *key, u64 now)
{
	struct scratch *s;
	u32 zero = 0;
	bool taken;

	s = bpf_map_lookup_elem(&scratches, &zero);
	if (!s || s->busy) {
		stat_add(STAT_LOST_SCRATCH, 1);
		return false;
	}
	s->busy = 1;
	taken = take_stack(ctx, s, task, in_kernel, key, now);
	s->busy = 0;
	stat_add(STAT_NANOSECONDS, bpf_ktime_get_ns() - now);
	return taken;
}

#endif
