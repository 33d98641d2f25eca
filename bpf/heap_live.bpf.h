/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Keeps the sampled blocks that are alive, by process and address. A child inherits those of its
 * parent, and a process that runs another program loses all.
 */
#ifndef CPROF_BPF_HEAP_LIVE_BPF_H
#define CPROF_BPF_HEAP_LIVE_BPF_H

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 20);
	__type(key, struct heap_block);
	__type(value, struct heap_live);
} live SEC(".maps");

/*
 * This filter is in front of `live`. Most frees are of blocks that were never sampled, and a bit
 * shows that in a few nanoseconds. Bits are only ever set; user space makes the map when it starts.
 */
#define FILTER_WORDS 65536u

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FILTER_WORDS);
	__type(key, u32);
	__type(value, u64);
} filter SEC(".maps");

static __always_inline u32 filter_bit(u64 address, struct global_pid tgid, u64 *bit)
{
	u64 hash = (address >> 4 ^ (u64)tgid.nr << 40) * 0x9e3779b97f4a7c15ull;

	*bit = 1ull << (hash >> 58);
	return (hash >> 32) & (FILTER_WORDS - 1);
}

static __always_inline bool may_be_live(u64 address, struct global_pid tgid)
{
	u64 bit, *word;
	u32 index = filter_bit(address, tgid, &bit);

	word = bpf_map_lookup_elem(&filter, &index);
	return word && (*word & bit);
}

static __always_inline void filter_add(u64 address, struct global_pid tgid)
{
	u64 bit, *word;
	u32 index = filter_bit(address, tgid, &bit);

	word = bpf_map_lookup_elem(&filter, &index);
	if (word && !(*word & bit))
		__sync_fetch_and_or(word, bit);
}

/*
 * Holds the processes that have, or have had, blocks in `live`. Other processes have nothing to
 * look for when they run another program or end, as most children do. An entry is removed with its
 * process.
 */
#define HOLDER_HAS 1u
#define HOLDER_INHERITED 2u

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct global_pid);
	__type(value, u32);
} holders SEC(".maps");

u32 holders_full; /* some were left out, so any process may be one */

static __always_inline void holder_add(struct global_pid tgid, u32 flags)
{
	u32 *known = bpf_map_lookup_elem(&holders, &tgid);

	if (known) {
		if ((*known & flags) != flags)
			__sync_fetch_and_or(known, flags);
	} else if (bpf_map_update_elem(&holders, &tgid, &flags, BPF_NOEXIST) &&
		   !bpf_map_lookup_elem(&holders, &tgid)) {
		holders_full = 1;
	}
}

static __always_inline bool is_holder(struct global_pid tgid, u32 flag)
{
	u32 *known = bpf_map_lookup_elem(&holders, &tgid);

	return holders_full || (known && (*known & flag));
}

/* Number of blocks in the map, of all processes; user space reads it as well. */
u64 live_blocks;
u64 live_inherited; /* how many copies were ever made for children */
u64 live_bytes; /* the bytes that they represent, roughly; used to find the peak */

/* A block represents at least the bytes between two samples. */
static __always_inline u64 bytes_meant(const struct heap_live *value)
{
	u64 size = value->weight > 1 ? value->weight : value->key.object;

	return size > heap.rate ? size : heap.rate;
}

static __always_inline bool live_put(const struct heap_block *block, struct heap_live *value)
{
	struct heap_live *old = bpf_map_lookup_elem(&live, block);

	/* An old entry means that the free of that block was missed, so the new one replaces it. */
	if (old)
		__sync_fetch_and_sub(&live_bytes, bytes_meant(old));
	if (bpf_map_update_elem(&live, block, value, BPF_ANY)) {
		stat_add(STAT_HEAP_DROPPED, 1);
		return false;
	}
	if (!old)
		__sync_fetch_and_add(&live_blocks, 1);
	__sync_fetch_and_add(&live_bytes, bytes_meant(value));
	return true;
}

static __always_inline bool live_take(struct heap_block *block)
{
	struct heap_live *value = bpf_map_lookup_elem(&live, block);
	u64 bytes = value ? bytes_meant(value) : 0;

	if (!value || bpf_map_delete_elem(&live, block))
		return false;
	__sync_fetch_and_sub(&live_blocks, 1);
	__sync_fetch_and_sub(&live_bytes, bytes);
	return true;
}

/* Returns the start of a process, whichever thread this is; exec does not change it. */
static __always_inline u32 process_began(struct task_struct *task)
{
	return (u32)(task->group_leader->start_time >> 20); /* a helper would take 30 ns for each */
}

static __always_inline struct heap_block block_of(u64 address, struct task_struct *task)
{
	return (struct heap_block){
		.address = address, .tgid = global_tgid(task), .began = process_began(task)};
}

static __always_inline void block_gone(u64 address, struct task_struct *task)
{
	struct heap_block block;

	if (!address || !may_be_live(address, global_tgid(task)))
		return;
	block = block_of(address, task);
	if (live_take(&block))
		stat_add(STAT_HEAP_FREED, 1);
}

static __always_inline bool block_known(u64 address, struct task_struct *task)
{
	struct heap_block block;

	if (!address || !may_be_live(address, global_tgid(task)))
		return false;
	block = block_of(address, task);
	return bpf_map_lookup_elem(&live, &block);
}

static __always_inline void block_new(u64 address, struct task_struct *task,
				      const struct sample_key *key, u64 weight)
{
	struct heap_block block = block_of(address, task);
	struct heap_live value = {.key = *key, .weight = weight, .time = bpf_ktime_get_ns()};

	if (!live_put(&block, &value))
		return;
	filter_add(address, block.tgid);
	holder_add(block.tgid, HOLDER_HAS);
}

/* ---- processes ---- */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 << 10);
} new_processes SEC(".maps");

/* The process is reported at once, because its allocations are not seen until user space has
 * examined it. */
static __always_inline void report_new_process(struct task_struct *task, bool exec)
{
	struct new_process new_process = {
		.tgid = proc_tgid(task), .exec = exec, .time = bpf_ktime_get_ns()};

	/* User space still finds it when it next looks through all targets. */
	if (bpf_ringbuf_output(&new_processes, &new_process, sizeof(new_process),
			       BPF_RB_FORCE_WAKEUP))
		stat_add(STAT_UNANNOUNCED, 1);
}

/* Nobody has said that a sampler is in front of the allocator of the program that ends here. */
static __always_inline void report_program_end(const struct target_process *target)
{
	struct new_process program = {.tgid = target->tgid, .ended = 1, .probed = target->probed};

	if (!heap.sampler || target->sampled)
		return;
	__builtin_memcpy(program.comm, target->comm, sizeof(program.comm));
	if (bpf_ringbuf_output(&new_processes, &program, sizeof(program), BPF_RB_FORCE_WAKEUP))
		stat_add(STAT_UNANNOUNCED, 1);
}

static __always_inline void program_begins(struct target_process *target)
{
	if (target->ran)
		report_program_end(target);
	target->ran = 1;
	target->sampled = 0;
	target->probed = 0;
	bpf_get_current_comm(target->comm, sizeof(target->comm));
}

struct live_walk {
	struct heap_block parent,
		child; /* or, in `parent`, the process whose blocks end; then without an address */
	u32 inherited_only, pad;
};

static __always_inline bool is_block_of(const struct heap_block *block,
					const struct heap_block *process)
{
	return block->tgid.nr == process->tgid.nr && block->began == process->began;
}

static long inherit_block(void *map, struct heap_block *block, struct heap_live *value,
			  struct live_walk *walk)
{
	struct heap_block copy = walk->child;
	struct heap_live inherited = *value;

	if (!is_block_of(block, &walk->parent))
		return 0;
	copy.address = block->address;
	inherited.inherited = 1;
	if (!live_put(&copy, &inherited))
		return 0;
	filter_add(copy.address, copy.tgid);
	__sync_fetch_and_add(&live_inherited, 1);
	return 0;
}

static long forget_block(void *map, struct heap_block *block, struct heap_live *value,
			 struct live_walk *walk)
{
	struct heap_block key = *block;

	if (is_block_of(&key, &walk->parent) && (!walk->inherited_only || value->inherited))
		live_take(&key);
	return 0;
}

/*
 * Copying a block takes about a microsecond, and fork returns neither in the parent nor in the
 * child before all are copied. So if there are more blocks than this, a child begins without them.
 * It is counted, and the user is told.
 */
#define INHERIT_MAX 65536u

static __always_inline void inherit_blocks(struct live_walk *walk)
{
	if (!live_blocks || !is_holder(walk->parent.tgid, HOLDER_HAS))
		return;
	if (live_blocks > INHERIT_MAX) {
		stat_add(STAT_HEAP_UNINHERITED, 1);
		return;
	}
	bpf_for_each_map_elem(&live, inherit_block, walk, 0);
	holder_add(walk->child.tgid, HOLDER_HAS | HOLDER_INHERITED);
}

/* This runs in the parent before the child runs, and fork returns to neither until it is done. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork_live, struct task_struct *parent, struct task_struct *child)
{
	struct live_walk walk = {.parent = block_of(0, parent), .child = block_of(0, child)};

	/* A vfork child uses its parent's memory until it calls exec. */
	if (!settings.follow_children || walk.parent.tgid.nr == walk.child.tgid.nr ||
	    parent->mm == child->mm || !bpf_map_lookup_elem(&targets, &walk.parent.tgid))
		return 0;
	inherit_blocks(&walk);
	report_new_process(child, false);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec_live, struct task_struct *task)
{
	struct live_walk walk = {.parent = block_of(0, task)};
	struct target_process *target = bpf_map_lookup_elem(&targets, &walk.parent.tgid);

	if (!target)
		return 0;
	program_begins(target);
	bpf_task_storage_delete(&threads, task);
	if (live_blocks && is_holder(walk.parent.tgid, HOLDER_HAS))
		bpf_for_each_map_elem(&live, forget_block, &walk, 0);
	report_new_process(task, true);
	return 0;
}

/* Blocks that a process still held when it ended are shown, except those that it had only inherited
 * from its parent. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit_live, struct task_struct *task)
{
	struct live_walk walk = {.parent = block_of(0, task), .inherited_only = 1};
	struct target_process *target;

	if (BPF_CORE_READ(task, signal, live.counter) > 0)
		return 0;
	target = bpf_map_lookup_elem(&targets, &walk.parent.tgid);
	if (!target)
		return 0;
	if (target->ran)
		report_program_end(target);
	if (settings.follow_children && live_blocks &&
	    is_holder(walk.parent.tgid, HOLDER_INHERITED))
		bpf_for_each_map_elem(&live, forget_block, &walk, 0);
	bpf_map_delete_elem(&holders, &walk.parent.tgid);
	return 0;
}

#endif
