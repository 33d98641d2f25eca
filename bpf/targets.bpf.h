/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Decides which tasks are profiled (the targets' tgids, a cgroup, or all of them), and finds the
 * numbers of a task. */
#ifndef CPROF_BPF_TARGETS_BPF_H
#define CPROF_BPF_TARGETS_BPF_H

#define CGROUP_MAX_LEVELS 32
#define PIDNS_MAX_LEVEL 31 /* include/linux/pid_namespace.h: MAX_PID_NS_LEVEL 32 */

static __always_inline struct global_pid global_tgid(struct task_struct *task)
{
	return (struct global_pid){task->tgid};
}

static __always_inline struct global_pid global_tid(struct task_struct *task)
{
	return (struct global_pid){task->pid};
}

static __always_inline struct global_pid current_tgid(void)
{
	return (struct global_pid){bpf_get_current_pid_tgid() >> 32};
}

/* numbers[] has one for each namespace that the task is in, and that of the initial one is
 * first. */
static __always_inline u32 number_in_cprofs_namespace(struct pid *pid)
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

static __always_inline struct proc_pid proc_tgid(struct task_struct *task)
{
	if (!settings.pidns_nested)
		return (struct proc_pid){task->tgid};
	return (struct proc_pid){
		number_in_cprofs_namespace(BPF_CORE_READ(task, group_leader, thread_pid))};
}

static __always_inline struct proc_pid proc_tid(struct task_struct *task)
{
	if (!settings.pidns_nested)
		return (struct proc_pid){task->pid};
	return (struct proc_pid){number_in_cprofs_namespace(BPF_CORE_READ(task, thread_pid))};
}

/*
 * Returns the thread's number in its own namespace. All threads of a process are in the same PID
 * namespaces (clone(2): CLONE_NEWPID and CLONE_THREAD exclude each other), so within a process it
 * identifies one thread.
 */
static __always_inline struct inner_pid inner_tid(struct task_struct *task)
{
	struct pid *pid = task->thread_pid;
	u32 level = BPF_CORE_READ(pid, level);
	struct upid upid = {};

	if (level > PIDNS_MAX_LEVEL || bpf_core_read(&upid, sizeof(upid), &pid->numbers[level]))
		return (struct inner_pid){0};
	return (struct inner_pid){upid.nr};
}

/* Returns the task's cgroup in the selected hierarchy. */
static __always_inline struct cgroup *cgroup_of(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup_subsys_state *css = NULL;
	u64 at;

	if (settings.cgroup_subsys == ~0u)
		return BPF_CORE_READ(set, dfl_cgrp);
	/* This is computed by hand, because CO-RE relocates only constant indexes. */
	at = (u64)set + bpf_core_field_offset(struct css_set, subsys) +
	     settings.cgroup_subsys * sizeof(css);
	bpf_probe_read_kernel(&css, sizeof(css), (void *)at);
	return BPF_CORE_READ(css, cgroup);
}

/* Returns whether it is the wanted one or below it. */
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

static __always_inline bool is_target(struct task_struct *task)
{
	struct global_pid tgid = global_tgid(task);

	switch (settings.mode) {
	case SAMPLE_TARGETS:
		return bpf_map_lookup_elem(&targets, &tgid) != NULL;
	case SAMPLE_CGROUP:
		return tgid.nr != 0 && in_cgroup(task);
	default:
		return tgid.nr != 0 && tgid.nr != control.self_tgid.nr;
	}
}

#endif
