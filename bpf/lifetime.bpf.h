/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Keeps the set of targets up to date in the kernel. Children join when they are forked and leave
 * when their last thread exits. It also lists what targets have mapped when the recording begins.
 */
#ifndef CPROF_BPF_LIFETIME_BPF_H
#define CPROF_BPF_LIFETIME_BPF_H

/* What the user selected. It is written before the recording, and nothing is deleted from it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct proc_pid);
	__type(value, u32);
} initial_threads SEC(".maps");

#define EEXIST 17 /* include/uapi/asm-generic/errno-base.h */

/* A child has what its parent has in its memory. */
static __always_inline void target_add(struct task_struct *task,
				       const struct target_process *parent)
{
	struct target_process process = {.tgid = proc_tgid(task),
					 .sampled = parent ? parent->sampled : 0};
	struct global_pid tgid = global_tgid(task);
	/* Before 6.4 the kernel's functions behind it return an int, and the register's upper half
	 * is 0. */
	int err = (int)bpf_map_update_elem(&targets, &tgid, &process, BPF_NOEXIST);

	if (!err)
		__sync_fetch_and_add(&control.live_targets, 1);
	else if (err != -EEXIST)
		stat_add(STAT_LOST_TARGET, 1);
}

static __always_inline void target_delete(struct task_struct *task)
{
	struct global_pid tgid = global_tgid(task);

	if (!bpf_map_delete_elem(&targets, &tgid))
		__sync_fetch_and_sub(&control.live_targets, 1);
}

/* All its threads have passed the decrement in do_exit() (kernel/exit.c). */
static __always_inline bool process_has_ended(struct task_struct *task)
{
	return BPF_CORE_READ(task, signal, live.counter) <= 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct global_pid from = global_tgid(parent);
	struct target_process *target;

	if (!settings.follow_children || global_tgid(child).nr == from.nr)
		return 0; /* a thread shares the entry of its process */
	target = bpf_map_lookup_elem(&targets, &from);
	if (target)
		target_add(child, target);
	return 0;
}

/* This runs at the exit of any thread. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	if (process_has_ended(task))
		target_delete(task);
	return 0;
}

/* Children that were forked between the user's list and now belong to the target as well. */
static __always_inline bool child_of_target(struct task_struct *task)
{
	struct global_pid parent = {BPF_CORE_READ(task, real_parent, tgid)};

	return settings.follow_children && bpf_map_lookup_elem(&targets, &parent);
}

static __always_inline enum initial_task wanted_at_start(struct task_struct *task)
{
	struct proc_pid tgid = proc_tgid(task);
	u32 *value = bpf_map_lookup_elem(&initial_threads, &tgid);

	if (value)
		return *value == INITIAL_LIST_ONLY ? INITIAL_LIST_ONLY : INITIAL_TARGET;
	switch (settings.mode) {
	case SAMPLE_ALL:
		return INITIAL_TARGET;
	case SAMPLE_CGROUP:
		return in_cgroup(task) ? INITIAL_TARGET : INITIAL_NONE;
	default:
		return child_of_target(task) ? INITIAL_TARGET : INITIAL_NONE;
	}
}

/*
 * Lists every executable file mapping of the wanted processes as struct module_record, each file
 * once. It runs in cprof's own context (which reads the iterator), before sampling begins.
 */
SEC("iter/task_vma")
int list_mappings(struct bpf_iter__task_vma *ctx)
{
	struct vm_area_struct *vma = ctx->vma;
	struct task_struct *task = ctx->task;
	struct module_record record = {.kind = RECORD_MODULE};
	enum initial_task wanted;
	struct file *file;
	u32 loading = 0;

	control.self_tgid = current_tgid();
	if (!task || !vma)
		return 0;
	wanted = wanted_at_start(task);
	if (wanted == INITIAL_NONE)
		return 0;
	if (settings.mode == SAMPLE_TARGETS && wanted == INITIAL_TARGET) {
		target_add(task, NULL);
		/* Its exit may have passed on_exit() just before, and will not come again. */
		if (process_has_ended(task))
			target_delete(task);
	}
	file = vma->vm_file;
	if (!file || !(vma->vm_flags & VM_EXEC))
		return 0;
	record.tgid = proc_tgid(task);
	record.inode = (u64)BPF_CORE_READ(file, f_inode);
	record.start = vma->vm_start;
	record.end = vma->vm_end;
	record.offset = vma->vm_pgoff << ARCH_PAGE_SHIFT;
	if (!record.tgid.nr || bpf_map_update_elem(&modules, &record.inode, &loading, BPF_NOEXIST))
		return 0;
	bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	return 0;
}

#endif
