/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Who belongs to the target, kept up to date in the kernel: children join when they are forked and
 * leave when their last thread exits. And the list of what targets have mapped when recording begins.
 */
#ifndef CPROF_BPF_LIFETIME_BPF_H
#define CPROF_BPF_LIFETIME_BPF_H

#define PIDNS_MAX_LEVEL 31

/* What the user asked for: tgids as cprof's own PID namespace numbers them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, u32);
} seeds SEC(".maps");

static __always_inline void target_add(u32 tgid)
{
	u32 flags = 1;

	if (!bpf_map_update_elem(&targets, &tgid, &flags, BPF_NOEXIST))
		__sync_fetch_and_add(&control.live_targets, 1);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	u32 tgid = child->tgid, from = parent->tgid;

	if (!settings.follow_children || tgid == from)
		return 0; /* a thread: it shares its process' entry */
	if (bpf_map_lookup_elem(&targets, &from))
		target_add(tgid);
	return 0;
}

/* The exit of any thread; signal->live was decremented before (kernel/exit.c: do_exit). */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	u32 tgid = task->tgid;

	if (BPF_CORE_READ(task, signal, live.counter) > 0)
		return 0;
	if (!bpf_map_delete_elem(&targets, &tgid))
		__sync_fetch_and_sub(&control.live_targets, 1);
	return 0;
}

/* The task's tgid as cprof's PID namespace numbers it; 0 when it is not in there. */
static __always_inline u32 seen_tgid(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, group_leader, thread_pid);
	u32 level = settings.pidns_level & PIDNS_MAX_LEVEL;
	struct upid upid;

	if (level == 0)
		return task->tgid;
	if (BPF_CORE_READ(pid, level) < level)
		return 0;
	if (bpf_core_read(&upid, sizeof(upid), &pid->numbers[level]))
		return 0;
	return BPF_CORE_READ(upid.ns, ns.inum) == settings.pidns_inode ? upid.nr : 0;
}

static __always_inline bool wanted_at_start(struct task_struct *task)
{
	u32 tgid = seen_tgid(task);

	if (settings.mode == SAMPLE_ALL)
		return true;
	if (settings.mode == SAMPLE_CGROUP)
		return in_cgroup(task);
	return tgid && bpf_map_lookup_elem(&seeds, &tgid);
}

/*
 * Every executable file mapping of the wanted processes, as struct module_record, each file once. Runs in
 * cprof's own context (it reads the iterator), before sampling begins.
 */
SEC("iter/task_vma")
int list_mappings(struct bpf_iter__task_vma *ctx)
{
	struct vm_area_struct *vma = ctx->vma;
	struct task_struct *task = ctx->task;
	struct module_record record = {.kind = RECORD_MODULE};
	struct file *file;
	u32 loading = 0;

	control.self_tgid = bpf_get_current_pid_tgid() >> 32;
	if (!task || !vma || !wanted_at_start(task))
		return 0;
	if (settings.mode == SAMPLE_TARGETS)
		target_add(task->tgid);
	file = vma->vm_file;
	if (!file || !(vma->vm_flags & VM_EXEC))
		return 0;
	record.tgid = seen_tgid(task);
	record.inode = (u64)BPF_CORE_READ(file, f_inode);
	record.start = vma->vm_start;
	record.end = vma->vm_end;
	record.offset = vma->vm_pgoff << PAGE_SHIFT;
	if (!record.tgid || bpf_map_update_elem(&modules, &record.inode, &loading, BPF_NOEXIST))
		return 0;
	bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	return 0;
}

#endif
