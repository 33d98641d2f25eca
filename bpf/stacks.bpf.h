/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The core that every profile kind shares: who is profiled, what its stack is, and counting it.
 * An entry program decides why a sample is taken and calls sample_take(ctx, regs, weight).
 */
#ifndef CPROF_BPF_STACKS_BPF_H
#define CPROF_BPF_STACKS_BPF_H

#define USER_CS_64 0x33 /* arch/x86/include/asm/segment.h: __USER_CS */
#define SYSCALL_EXECVE 59 /* arch/x86/entry/syscalls/syscall_64.tbl */
#define SYSCALL_EXECVEAT 322
#define CGROUP_MAX_LEVELS 32
#define PIDNS_MAX_LEVEL 31 /* include/linux/pid_namespace.h: MAX_PID_NS_LEVEL 32 */

const volatile struct sample_config settings;

struct sample_control control; /* in .bss, which user space has mapped */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, u32); /* tgid, initial namespace */
	__type(value, u32); /* 1: its children too */
} targets SEC(".maps");

/*
 * Two, so that user space drains one that nobody writes to: an increment through a pointer that was
 * looked up just before its entry is deleted would land in whatever reuses the entry.
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

struct scratch {
	struct sample_record record;
	struct stack_walk state;
	u64 busy; /* a sample is being taken in it */
	u64 last_tick; /* bpf_ktime_get_ns() */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

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
	/* Sizes, not types: clang prunes the types of inner maps to forward declarations. */
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
	__uint(max_entries, MODULE_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct module_table);
} module_tables SEC(".maps");

/* 24 KiB a CPU. Bigger did not help: what repeats is a few hundred frames. */
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

/* ---- what the walker asks of its surroundings (unwind.h) ---- */

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
	return bpf_map_lookup_elem(&module_tables, &module);
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

/* A pid as cprof's PID namespace numbers it; 0 when it is not in there. */
static __always_inline u32 seen_number(struct pid *pid)
{
	u32 level = BPF_CORE_READ(pid, level);
	struct upid upid;

	for (u32 i = 0; i <= PIDNS_MAX_LEVEL && i <= level; i++) {
		if (bpf_core_read(&upid, sizeof(upid), &pid->numbers[i]))
			return 0;
		if (BPF_CORE_READ(upid.ns, ns.inum) == settings.pidns_inode)
			return upid.nr;
	}
	return 0;
}

static __always_inline u32 seen_tgid(struct task_struct *task)
{
	if (!settings.pidns_nested)
		return task->tgid;
	return seen_number(BPF_CORE_READ(task, group_leader, thread_pid));
}

static __always_inline u32 seen_tid(struct task_struct *task)
{
	return settings.pidns_nested ? seen_number(BPF_CORE_READ(task, thread_pid)) : task->pid;
}

/* Asks user space for a table, once per file; until it is there, stacks through it are pending. */
static __always_inline void module_request(const struct vma_found *vma)
{
	struct module_record record = {
		.kind = RECORD_MODULE,
		.tgid = seen_tgid(bpf_get_current_task_btf()),
		.inode = vma->inode,
		.start = vma->start,
		.end = vma->end,
		.offset = vma->offset,
	};
	u32 loading = 0;

	if (bpf_map_update_elem(&modules, &vma->inode, &loading, BPF_NOEXIST))
		return;
	stat_add(STAT_MODULE_MISSES, 1);
	if (bpf_ringbuf_output(&records, &record, sizeof(record), BPF_RB_FORCE_WAKEUP))
		bpf_map_delete_elem(&modules, &vma->inode); /* ring full: ask again next time */
}

/* Turns a mapping into a module number and the distance to its offsets. */
static __always_inline bool range_of(struct stack_walk *st, struct mm_struct *mm,
				     const struct vma_found *vma, struct vma_range *out)
{
	u64 vdso = (u64)BPF_CORE_READ(mm, context.vdso);
	u32 *module;

	out->start = vma->start;
	out->end = vma->end;
	out->pad = 0;
	if (!vma->inode) {
		bool is_vdso = vdso && vdso >= vma->start && vdso < vma->end;

		out->module = is_vdso ? MODULE_VDSO : MODULE_ANON;
		out->shift = is_vdso ? -vdso : 0;
		return true;
	}
	module = bpf_map_lookup_elem(&modules, &vma->inode);
	if (!module || !*module) {
		if (!module)
			module_request(vma);
		st->missing_module = 1;
		return false;
	}
	out->module = *module;
	out->shift = vma->offset - vma->start;
	return true;
}

static __always_inline bool env_find_module(struct stack_walk *st, u64 pc, u32 *module, u64 *off)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct mm_struct *mm = task->mm;
	struct vma_range fresh, *range;
	struct vma_found vma = {};
	struct vma_cache *cache;
	u32 set;

	if (!mm)
		return false;
	set = (u32)st->mm_set & (VMA_CACHE_SETS - 1);
	cache = bpf_map_lookup_elem(&vma_caches, &set);
	if (!cache)
		return false;
	range = vma_cache_find(cache, pc);
	if (!range) {
		stat_add(STAT_VMA_WALKS, 1);
		if (!vma_find(mm, pc, &vma) || !vma.executable)
			return false;
		if (!range_of(st, mm, &vma, &fresh))
			return false;
		vma_cache_add(cache, &fresh);
		range = &fresh;
	}
	*module = range->module;
	*off = pc + range->shift;
	return true;
}

#include "unwind.h"

/* ---- who is profiled ---- */

/* The task's cgroup in the hierarchy that was asked for. */
static __always_inline struct cgroup *cgroup_of(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup_subsys_state *css = NULL;
	u64 at;

	if (settings.cgroup_subsys == ~0u)
		return BPF_CORE_READ(set, dfl_cgrp);
	/* By hand: CO-RE relocates constant indexes only. */
	at = (u64)set + bpf_core_field_offset(struct css_set, subsys) +
	     settings.cgroup_subsys * sizeof(css);
	bpf_probe_read_kernel(&css, sizeof(css), (void *)at);
	return BPF_CORE_READ(css, cgroup);
}

/* Whether it is the wanted one or below it. */
static __always_inline bool in_cgroup(struct task_struct *task)
{
	struct cgroup *cgroup = cgroup_of(task);
	struct cgroup_subsys_state *css;
	int up;

	up = BPF_CORE_READ(cgroup, level) - (int)settings.cgroup_level;
	for (int i = 0; i < CGROUP_MAX_LEVELS && up > 0; i++, up--) {
		css = BPF_CORE_READ(cgroup, self.parent);
		if (!css)
			return false;
		cgroup = BPF_CORE_READ(css, cgroup);
	}
	return up == 0 && BPF_CORE_READ(cgroup, kn, id) == settings.cgroup_id;
}

static __always_inline bool is_target(struct task_struct *task, u32 tgid)
{
	switch (settings.mode) {
	case SAMPLE_TARGETS:
		return bpf_map_lookup_elem(&targets, &tgid) != NULL;
	case SAMPLE_CGROUP:
		return tgid != 0 && in_cgroup(task);
	default:
		return tgid != 0 && tgid != control.self_tgid;
	}
}

/* ---- taking a sample ---- */

/* Kernel frames, as the kernel's own unwinder sees them: the leaf exact, callers inside their calls. */
static __always_inline void take_kernel_stack(void *ctx, struct scratch *s)
{
	u64 *ips = s->record.frames; /* free until the record is sent */
	long bytes = bpf_get_stack(ctx, ips, STACK_MAX_KERNEL * sizeof(u64), 0);
	u32 n = bytes > 0 ? (u32)bytes / sizeof(u64) : 0;

	for (u32 i = 0; i < STACK_MAX_KERNEL; i++) {
		if (i >= n)
			break;
		push_frame(&s->state, FRAME(MODULE_KERNEL, ips[i] - (i > 0)));
	}
}

/* System V order to DWARF's (psABI figure 3.36). */
static __always_inline void take_registers(struct stack_walk *st, const struct pt_regs *regs)
{
	st->pc = regs->ip;
	st->sp = regs->sp;
	st->bp = regs->bp;
	st->bx = regs->bx;
	st->regs[0] = regs->ax;
	st->regs[1] = regs->dx;
	st->regs[2] = regs->cx;
	st->regs[3] = regs->bx;
	st->regs[4] = regs->si;
	st->regs[5] = regs->di;
	st->regs[6] = regs->bp;
	st->regs[7] = regs->sp;
	st->regs[8] = regs->r8;
	st->regs[9] = regs->r9;
	st->regs[10] = regs->r10;
	st->regs[11] = regs->r11;
	st->regs[12] = regs->r12;
	st->regs[13] = regs->r13;
	st->regs[14] = regs->r14;
	st->regs[15] = regs->r15;
	st->regs_known = 1;
	st->bx_known = 1;
}

static __always_inline bool is_exec(u64 syscall)
{
	return syscall == SYSCALL_EXECVE || syscall == SYSCALL_EXECVEAT;
}

/*
 * User frames, from the registers with which the task last left user mode. In a system call the saved pc is
 * behind the syscall instruction, so it is treated as a return address; orig_ax is -1 for every other
 * way into the kernel (arch/x86/entry).
 */
static __always_inline void take_user_stack(struct task_struct *task, struct stack_walk *st)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct mm_struct *mm = task->mm;
	struct vma_found vma;
	struct vma_cache *cache;

	if (!mm || !regs)
		return; /* a kernel thread: its kernel frames are the whole stack */
	if ((u16)regs->cs != USER_CS_64) {
		st->end = STACK_COMPAT;
		push_frame(st, FRAME(MODULE_CUT, STACK_COMPAT));
		return;
	}
	cache = vma_cache_open(mm);
	if (!cache)
		return;
	st->mm_set = (u32)cache->ctx_id;
	take_registers(st, regs);
	st->exact = (s64)regs->orig_ax == -1;
	if (is_exec(regs->orig_ax)) {
		/* Half way through, the old program is gone and its registers mean nothing. */
		if (!vma_find(mm, st->pc, &vma))
			return;
		st->exact = 1; /* the new program's first instruction */
	}
	unwind_user(st);
	stat_add(STAT_FRAMES, st->nframes);
}

static __always_inline void state_reset(struct stack_walk *st)
{
	st->hash = 0;
	st->nframes = 0;
	st->end = STACK_WHOLE;
	st->missing_module = 0;
	st->has_anon = 0;
}

static __always_inline bool send_stack(struct scratch *s, const struct sample_key *key,
				       struct task_struct *task)
{
	struct sample_record *r = &s->record;
	u32 n = s->state.nframes;

	if (n > STACK_MAX_FRAMES)
		return false;
	r->kind = RECORD_STACK;
	r->nframes = n;
	r->key = *key;
	r->tgid = seen_tgid(task);
	r->tid = seen_tid(task);
	bpf_get_current_comm(r->comm, sizeof(r->comm));
	BPF_CORE_READ_INTO(&r->leader_comm, task, group_leader, comm);
	if (bpf_probe_read_kernel(r->frames, n * sizeof(u64), s->state.frames))
		return false;
	return bpf_ringbuf_output(&records, r,
				  offsetof(struct sample_record, frames) + n * sizeof(u64),
				  BPF_RB_NO_WAKEUP) == 0;
}

static __always_inline struct sample_count *active_count(const struct sample_key *key)
{
	return control.active_counts ? bpf_map_lookup_elem(&counts_b, key)
				     : bpf_map_lookup_elem(&counts_a, key);
}

static __always_inline void count_new(struct scratch *s, const struct sample_key *key, u64 weight,
				      struct task_struct *task)
{
	struct sample_count first = {.samples = 1, .weight = weight}, *count;
	long err;

	if (!send_stack(s, key, task)) {
		stat_add(STAT_LOST_RING, 1);
		return;
	}
	if (control.active_counts)
		err = bpf_map_update_elem(&counts_b, key, &first, BPF_NOEXIST);
	else
		err = bpf_map_update_elem(&counts_a, key, &first, BPF_NOEXIST);
	if (!err) {
		__sync_fetch_and_add(&control.active_keys, 1);
		return;
	}
	/* Another CPU was first, or the map is full. */
	count = active_count(key);
	if (!count) {
		stat_add(STAT_LOST_TABLE, 1);
		return;
	}
	__sync_fetch_and_add(&count->samples, 1);
	__sync_fetch_and_add(&count->weight, weight);
}

/* What is counted together, as far as the user asked to tell samples apart. */
static __always_inline void fill_key(struct sample_key *key, const struct stack_walk *st)
{
	u64 id = bpf_get_current_pid_tgid();

	__builtin_memset(key, 0, sizeof(*key));
	key->stack = st->hash;
	/* JIT addresses mean something in one process only. */
	if (settings.by_tgid || st->has_anon)
		key->tgid = id >> 32;
	if (settings.by_tid)
		key->tid = (u32)id;
	if (settings.by_cpu)
		key->cpu = bpf_get_smp_processor_id() + 1;
}

/* Up to PENDING_STACK bytes from sp on, behind the frames. */
static __always_inline void copy_stack(struct pending_record *r, u32 at)
{
	for (u32 i = 0; i < PENDING_STACK / PENDING_PIECE; i++) {
		u32 to = at + i * PENDING_PIECE;

		if (to > sizeof(r->data) - PENDING_PIECE)
			break;
		if (bpf_probe_read_user(&r->data[to], PENDING_PIECE,
					(void *)(r->sp + i * PENDING_PIECE)))
			break;
		r->copied += PENDING_PIECE;
	}
}

/* Hands the rest of a walk to user space; false when it cannot, and the stack is cut. */
static __always_inline bool send_pending(struct stack_walk *st, u64 weight,
					 struct task_struct *task)
{
	struct pending_record *r;
	u32 zero = 0, n, bytes;

	r = bpf_map_lookup_elem(&pendings, &zero);
	n = st->nframes - 1; /* without the mark of the cut */
	if (!r || n > STACK_MAX_FRAMES - 1)
		return false;
	r->kind = RECORD_PENDING;
	r->nframes = n;
	fill_key(&r->key, st);
	r->count.samples = 1;
	r->count.weight = weight;
	r->tgid = seen_tgid(task);
	r->tid = seen_tid(task);
	bpf_get_current_comm(r->comm, sizeof(r->comm));
	BPF_CORE_READ_INTO(&r->leader_comm, task, group_leader, comm);
	r->pc = st->pc;
	r->sp = st->sp;
	r->bp = st->bp;
	r->bx = st->bx;
	__builtin_memcpy(r->regs, st->regs, sizeof(r->regs));
	r->regs_known = st->regs_known;
	r->bx_known = st->bx_known;
	r->exact = st->exact;
	r->copied = 0;
	bytes = n * sizeof(u64);
	if (bpf_probe_read_kernel(r->data, bytes, st->frames))
		return false;
	copy_stack(r, bytes);
	bytes += r->copied;
	if (bytes > sizeof(r->data))
		return false;
	return bpf_ringbuf_output(&records, r, offsetof(struct pending_record, data) + bytes,
				  BPF_RB_FORCE_WAKEUP) == 0;
}

static __always_inline void count_stack(struct scratch *s, u64 weight, struct task_struct *task)
{
	struct sample_count *count;
	struct sample_key key;

	fill_key(&key, &s->state);
	count = active_count(&key);
	if (count) {
		__sync_fetch_and_add(&count->samples, 1);
		__sync_fetch_and_add(&count->weight, weight);
	} else {
		count_new(s, &key, weight, task);
	}
}

/* A stack has been taken: counts it, or has user space finish it. */
static __always_inline void sample_done(struct scratch *s, u64 weight, struct task_struct *task)
{
	stat_add(STAT_SAMPLES, 1);
	if (s->state.end == STACK_LOADING && send_pending(&s->state, weight, task)) {
		stat_add(STAT_PENDING, 1);
		return;
	}
	stat_add(STAT_ENDS_FIRST + s->state.end, 1);
	count_stack(s, weight, task);
}

#endif
