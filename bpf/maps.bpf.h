/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Defines the maps and settings that every BPF program of cprof shares with user space. */
#ifndef CPROF_BPF_MAPS_BPF_H
#define CPROF_BPF_MAPS_BPF_H

const volatile struct sample_config settings;

struct sample_control control; /* in .bss, which user space has mapped */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct global_pid);
	__type(value, struct target_process);
} targets SEC(".maps");

/*
 * There are two maps, so that user space drains one that nobody writes to. An increment through a
 * pointer that was looked up just before its entry is deleted would change whatever reuses the
 * entry.
 */
#define COUNT_MAP(name_)                            \
	struct {                                    \
		__uint(type, BPF_MAP_TYPE_HASH);    \
		__uint(max_entries, 16384);         \
		__type(key, struct sample_key);     \
		__type(value, struct sample_count); \
	} name_ SEC(".maps")
COUNT_MAP(counts_a);
COUNT_MAP(counts_b);

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STAT_SLOTS);
	__type(key, u32);
	__type(value, u64);
} stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct pending_record);
} pendings SEC(".maps");

struct table_chunk {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TABLE_CHUNK_PAGES);
	__uint(map_flags, BPF_F_MMAPABLE);
	/* These are sizes and not types, because clang reduces the types of inner maps to forward
	 * declarations. */
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(struct unwind_page));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, TABLE_MAX_CHUNKS);
	__type(key, u32);
	__array(values, struct table_chunk);
} table_chunks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, UNWIND_MAX_RULES);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct unwind_rule);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MODULE_SLOTS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct module_table);
} module_tables SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct modules_state);
} module_states SEC(".maps");

/* Returns the state that user space sets for all modules. It is NULL only for the verifier. */
static __always_inline const struct modules_state *modules_state(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&module_states, &zero);
}

/* It takes 24 KiB a CPU. A bigger one did not help, because only a few hundred frames repeat. */
#define MEMO_SLOTS 1024

struct memo_table {
	struct rule_memo slot[MEMO_SLOTS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct memo_table);
} memos SEC(".maps");

static __always_inline void stat_add(u32 stat, u64 n)
{
	u64 *value = bpf_map_lookup_elem(&stats, &stat);

	if (value)
		*value += n;
}

#endif
