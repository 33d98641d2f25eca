/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Counting under a stack that was taken earlier: its frames are sent at once, what they count for is known later. */
#ifndef CPROF_BPF_LATER_BPF_H
#define CPROF_BPF_LATER_BPF_H

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

/* A walk is done: sends its frames, unless they are known, and gives the key under which they count. False: lost. */
static __always_inline bool stack_taken(struct scratch *s, struct task_struct *task,
					struct sample_key *key, u64 now)
{
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

#endif
