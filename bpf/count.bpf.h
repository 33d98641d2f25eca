/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Counts samples, and decides under which key. */
#ifndef CPROF_BPF_COUNT_BPF_H
#define CPROF_BPF_COUNT_BPF_H

/* Fills in what is counted together, as far as the user wants to distinguish samples. */
static __always_inline void fill_key(struct sample_key *key, const struct stack_walk *st)
{
	u64 id = bpf_get_current_pid_tgid();

	__builtin_memset(key, 0, sizeof(*key));
	key->stack = stack_number(st, (struct global_pid){id >> 32});
	/* JIT addresses have a meaning in one process only. */
	if (settings.by_tgid || st->has_anon)
		key->tgid.nr = id >> 32;
	if (settings.by_tid)
		key->tid.nr = (u32)id;
	if (settings.by_cpu)
		key->cpu = bpf_get_smp_processor_id() + 1;
}

/* Does so for what a thread does that is not the running one. */
static __always_inline void fill_labels(struct sample_key *key, struct task_struct *task)
{
	if (settings.by_tgid)
		key->tgid = global_tgid(task);
	if (settings.by_tid)
		key->tid = global_tid(task);
}

static __always_inline struct sample_count *active_count(const struct sample_key *key)
{
	return control.active_counts ? bpf_map_lookup_elem(&counts_b, key)
				     : bpf_map_lookup_elem(&counts_a, key);
}

/* It is false if another CPU has made the entry meanwhile, or if the map is full. */
static __always_inline bool count_insert(const struct sample_key *key,
					 const struct sample_count *first)
{
	long err;

	if (control.active_counts)
		err = bpf_map_update_elem(&counts_b, key, first, BPF_NOEXIST);
	else
		err = bpf_map_update_elem(&counts_a, key, first, BPF_NOEXIST);
	if (err)
		return false;
	__sync_fetch_and_add(&control.active_keys, 1);
	return true;
}

/* Adds to `count`, which active_count() has found for the key; if it is NULL, the entry is made. */
static __always_inline void count_at(struct sample_count *count, const struct sample_key *key,
				     u64 samples, u64 weight)
{
	if (!count) {
		struct sample_count first = {.samples = samples, .weight = weight};

		if (count_insert(key, &first))
			return;
		count = active_count(key);
	}
	if (!count) {
		stat_add(STAT_LOST_TABLE, samples);
		return;
	}
	if (samples)
		__sync_fetch_and_add(&count->samples, samples);
	if (weight)
		__sync_fetch_and_add(&count->weight, weight);
}

/* Adds to a key whose frames have been sent, perhaps before the maps were changed. */
static __always_inline void count_add(const struct sample_key *key, u64 samples, u64 weight)
{
	count_at(active_count(key), key, samples, weight);
}

#endif
