/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Caches the kernel's frames of a wait. The kernel's own unwinder takes 3 us for them, which is six
 * times as long as the user's frames take, and mostly they are the same: a futex call and nanosleep
 * each sleep (interruptibly) in one place. Those are walked once on each CPU.
 */
#ifndef CPROF_BPF_KERNEL_PATH_BPF_H
#define CPROF_BPF_KERNEL_PATH_BPF_H

enum kernel_path {
	KERNEL_PATH_NONE, /* the thread was in user mode */
	KERNEL_PATH_ANY, /* must be walked */
	KERNEL_PATH_NANOSLEEP,
	KERNEL_PATH_CLOCK_NANOSLEEP, /* this and the following ones: by clock */
	KERNEL_PATH_FUTEX = 16, /* this and the following ones: by operation */
	KERNEL_PATHS = 32,
};

#define KERNEL_PATH_FRAMES 32
#define KERNEL_PATH_CLOCKS 12u

struct kernel_frames {
	u32 n; /* 0 if not walked yet */
	u32 pad;
	u64 frames[KERNEL_PATH_FRAMES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, KERNEL_PATHS);
	__type(key, u32);
	__type(value, struct kernel_frames);
} kernel_paths SEC(".maps");

/* Returns the place in the kernel where a thread leaves its CPU. */
static __always_inline u32 kernel_path_of(struct task_struct *task, const struct thread_wait *t)
{
	const struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	if (!regs || (t->cause != WAIT_LOCK && t->cause != WAIT_SLEEP) ||
	    !(task_state(task) & TASK_INTERRUPTIBLE))
		return KERNEL_PATH_ANY;
	switch (arch_syscall(regs)) {
	case SYS_FUTEX:
		return KERNEL_PATH_FUTEX + (arch_syscall_arg(regs, 1) & 15);
	case SYS_NANOSLEEP:
		return KERNEL_PATH_NANOSLEEP;
	case SYS_CLOCK_NANOSLEEP:
		if (arch_syscall_arg(regs, 0) < KERNEL_PATH_CLOCKS)
			return KERNEL_PATH_CLOCK_NANOSLEEP + arch_syscall_arg(regs, 0);
	}
	return KERNEL_PATH_ANY;
}

static __always_inline void take_kernel_path(void *ctx, struct scratch *s, u32 path)
{
	struct kernel_frames *known = NULL;

	if (path != KERNEL_PATH_ANY)
		known = bpf_map_lookup_elem(&kernel_paths, &path);
	if (known && known->n) {
		for (u32 i = 0; i < KERNEL_PATH_FRAMES && i < known->n; i++)
			push_frame(&s->state, known->frames[i]);
		return;
	}
	take_kernel_stack(ctx, s);
	if (!known || s->state.nframes > KERNEL_PATH_FRAMES)
		return;
	bpf_probe_read_kernel(known->frames, sizeof(known->frames), s->state.frames);
	known->n = s->state.nframes;
}

#endif
