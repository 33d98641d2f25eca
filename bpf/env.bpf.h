/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Provides in the kernel what the walker (unwind.h) needs: the target's memory, the tables, and the
 * module at an address.
 */
#ifndef CPROF_BPF_ENV_BPF_H
#define CPROF_BPF_ENV_BPF_H

/* The verifier goes through bpf_loop()'s function once, where it goes through each turn of a loop.
 * Linux 5.17 and later have it. */
static __always_inline void env_repeat(u32 n, long (*step)(u32 i, void *arg), void *arg)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_loop)) {
		bpf_loop(n, step, arg, 0);
		return;
	}
	for (u32 i = 0; i < n; i++) {
		if (step(i, arg))
			break;
	}
}

static __always_inline bool env_read_user(void *dst, u32 size, u64 addr)
{
	return bpf_probe_read_user(dst, size, (void *)addr) == 0;
}

static __always_inline const struct unwind_page *env_table_page(u32 page)
{
	u32 chunk = page / TABLE_CHUNK_PAGES, index = page % TABLE_CHUNK_PAGES;
	void *inner = bpf_map_lookup_elem(&table_chunks, &chunk);

	return inner ? bpf_map_lookup_elem(inner, &index) : NULL;
}

static __always_inline const struct unwind_rule *env_rule(u32 number)
{
	return bpf_map_lookup_elem(&rules, &number);
}

static __always_inline const struct module_table *env_module_table(u32 module)
{
	u32 slot = module % MODULE_SLOTS;

	return bpf_map_lookup_elem(&module_tables, &slot);
}

static __always_inline struct rule_memo *env_memo(u64 frame)
{
	struct memo_table *table;
	u32 zero = 0;

	table = bpf_map_lookup_elem(&memos, &zero);
	if (!table)
		return NULL;
	return &table->slot[(frame * 0x9e3779b97f4a7c15ull >> 40) & (MEMO_SLOTS - 1)];
}

static __always_inline u64 env_thread_pointer(void)
{
	return arch_thread_pointer(bpf_get_current_task_btf());
}

#define BOTTOM_BYTES 256u /* The frame pointer is 0 in start-up code, wherever that is mapped. */

/*
 * Returns whether st->regs.sp is in the stack that the current thread began with, and not at its
 * bottom. The first thread has the process' own one, beside which what it allocates may lie in one
 * mapping with its thread-local storage. The others have the C library's description of the thread
 * at its top. Go keeps its thread pointers among the stacks of goroutines, but they do not point to
 * themselves.
 */
__attribute__((noinline)) int stack_is_own(struct stack_walk *st)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 first, block, self = 0;

	if (!st || !task->mm || !vma_find(task->mm, st->regs.sp, &st->found))
		return 0;
	first = BPF_CORE_READ(task, mm, start_stack);
	if (first >= st->found.start && first < st->found.end)
		return first - st->regs.sp > BOTTOM_BYTES;
	if (task->pid == task->tgid)
		return 0;
	block = arch_thread_pointer(task);
	return block >= st->found.start && block < st->found.end &&
	       env_read_user(&self, sizeof(self), block) && self == block;
}

static __always_inline bool env_on_own_stack(struct stack_walk *st)
{
	return stack_is_own(st);
}

#define HIDDEN_RETURNS_MAX 32 /* of MAX_URETPROBE_DEPTH, 64; deeper ones stay hidden */
#define LEFT_RETURNS_MAX 4

static __always_inline u64 hidden_in_notes(struct return_instance *ri, u32 n, u64 slot)
{
	for (u32 i = 0; i < HIDDEN_RETURNS_MAX && i < n && ri; i++) {
		if (BPF_CORE_READ(ri, stack) == slot)
			return BPF_CORE_READ(ri, orig_ret_vaddr);
		ri = BPF_CORE_READ(ri, next);
	}
	return 0;
}

/*
 * The newest entries of the kernel's list come first, and several of one call have the same
 * address. Since 6.14 an entry that was removed waits in a pool, with the last one first and its
 * contents unchanged.
 */
static __always_inline u64 env_hidden_return(u64 slot, bool left)
{
	struct uprobe_task *utask = BPF_CORE_READ(bpf_get_current_task_btf(), utask);
	u64 address = 0;

	if (!utask)
		return 0;
	address = hidden_in_notes(BPF_CORE_READ(utask, return_instances), HIDDEN_RETURNS_MAX, slot);
	if (!address && left && bpf_core_field_exists(utask->ri_pool))
		address = hidden_in_notes(BPF_CORE_READ(utask, ri_pool), LEFT_RETURNS_MAX, slot);
	return address;
}

/*
 * Requests a table from user space, once per file; until it is loaded, stacks through it are
 * pending. It is false if the process is outside of cprof's PID namespace, where user space cannot
 * reach its files.
 */
static __always_inline bool module_request(struct stack_walk *st, const struct vma_found *vma)
{
	struct module_record *record = (void *)st->scratch; /* the BPF stack is small */
	u64 inode = vma->inode; /* Linux 6.1 wants keys on the stack */
	u32 loading = 0;

	record->tgid = proc_tgid(bpf_get_current_task_btf());
	if (!record->tgid.nr)
		return false;
	if (bpf_map_update_elem(&modules, &inode, &loading, BPF_NOEXIST))
		return true;
	stat_add(STAT_MODULE_MISSES, 1);
	record->kind = RECORD_MODULE;
	record->inode = inode;
	record->start = vma->start;
	record->end = vma->end;
	record->offset = vma->offset;
	record->mm_id = 0;
	if (bpf_ringbuf_output(&records, record, sizeof(*record), BPF_RB_FORCE_WAKEUP))
		/* The ring is full, so the next sample requests it again. */
		bpf_map_delete_elem(&modules, &inode);
	return true;
}

/* Records that a program saw the module, because user space evicts modules that no program has
 * seen for a while. */
static __always_inline void module_mark(u32 module)
{
	const struct modules_state *state = modules_state();
	u32 slot = module % MODULE_SLOTS;
	struct module_table *mt = bpf_map_lookup_elem(&module_tables, &slot);

	if (mt && state && mt->seen != (u32)state->epoch)
		mt->seen = (u32)state->epoch;
}

/* Converts a mapping to a module number and the distance to its offsets. */
static __always_inline bool range_of(struct stack_walk *st, struct mm_struct *mm,
				     const struct vma_found *vma, struct vma_range *out)
{
	u64 vdso = (u64)BPF_CORE_READ(mm, context.vdso), inode = vma->inode;
	u32 *module;

	out->start = vma->start;
	out->end = vma->end;
	out->pad = 0;
	if (!inode) {
		out->module = MODULE_VDSO;
		out->shift = -vdso;
		st->unnamed = !vdso || vdso < vma->start || vdso >= vma->end;
		return !st->unnamed;
	}
	module = bpf_map_lookup_elem(&modules, &inode);
	out->module = module ? *module : MODULE_OUTSIDE;
	if (!out->module || (!module && module_request(st, vma))) {
		st->missing_module = 1;
		return false;
	}
	st->unnamed = out->module == MODULE_ANON; /* generated code in a file without a name */
	if (st->unnamed)
		return false;
	out->shift = vma->offset - vma->start;
	module_mark(out->module);
	return true;
}

static __always_inline bool env_find_module(struct stack_walk *st, u64 pc, u32 *module, u64 *off)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct mm_struct *mm = task->mm;
	struct vma_range fresh, *range;
	struct vma_cache *cache;
	u32 set;

	st->unnamed = 0;
	if (!mm)
		return false;
	set = (u32)st->mm_set & (VMA_CACHE_SETS - 1);
	cache = bpf_map_lookup_elem(&vma_caches, &set);
	if (!cache)
		return false;
	range = vma_cache_find(cache, pc);
	if (!range) {
		if (!vma_find(mm, pc, &st->found) || !st->found.executable)
			return false;
		if (!range_of(st, mm, &st->found, &fresh))
			return false;
		vma_cache_add(cache, &fresh);
		range = &fresh;
	}
	*module = range->module;
	*off = pc + range->shift;
	return true;
}

#include "moved.bpf.h"

#endif
