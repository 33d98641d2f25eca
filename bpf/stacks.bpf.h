/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The core that every profile kind shares: it takes the stack of the running task. An entry program
 * decides why, and calls stack_begin(), take_kernel_stack(), take_user_stack() or take_stack_at(),
 * and stack_end().
 */
#ifndef CPROF_BPF_STACKS_BPF_H
#define CPROF_BPF_STACKS_BPF_H

#include "arch/syscalls.h"
#include "arch/task.bpf.h"
#include "maps.bpf.h"
#include "vma.bpf.h"
#include "targets.bpf.h"
#include "env.bpf.h"
#include "unwind.h"
#include "scratch.bpf.h"
#include "count.bpf.h"
#include "send.bpf.h"

/* Takes kernel frames as the kernel's own unwinder sees them: the leaf is exact, and callers are
 * inside their calls. */
static __always_inline void take_kernel_stack(void *ctx, struct scratch *s)
{
	u64 *ips = s->record.frames; /* unused until the record is sent */
	long bytes = bpf_get_stack(ctx, ips, STACK_MAX_KERNEL * sizeof(u64), 0);
	u32 n = bytes > 0 ? (u32)bytes / sizeof(u64) : 0;

	for (u32 i = 0; i < STACK_MAX_KERNEL; i++) {
		if (i >= n)
			break;
		push_frame(&s->state, FRAME(MODULE_KERNEL, ips[i] - (i > 0)));
	}
}

static __always_inline bool is_exec(s64 syscall)
{
	return syscall == SYS_EXECVE || syscall == SYS_EXECVEAT;
}

/* All return probes of a process share the first slot of its [uprobes] page
 * (kernel/events/uprobes.c). */
static __always_inline u64 return_trampoline(struct task_struct *task)
{
	struct uprobe_task *utask = task->utask;

	/* Only the running task's entries stay valid while they are read. */
	if (!utask || task != bpf_get_current_task_btf())
		return 0;
	return BPF_CORE_READ(task, mm, uprobes_state.xol_area, vaddr);
}

/* Prepares the walk for the task's address space; false if it has none, or its stack cannot be
 * walked. */
static __always_inline bool begin_user_stack(struct task_struct *task, struct stack_walk *st,
					     const struct pt_regs *regs)
{
	const struct modules_state *state = modules_state();
	struct vma_cache *cache;

	if (!arch_is_64bit(regs)) {
		st->end = STACK_COMPAT;
		push_frame(st, FRAME(MODULE_CUT, STACK_COMPAT));
		return false;
	}
	cache = vma_cache_open(task->mm);
	if (!cache || !state)
		return false;
	st->mm_set = (u32)cache->mm_id;
	st->memo_salt = state->memo_salt;
	st->trampoline = return_trampoline(task);
	arch_take_registers(&st->regs, regs);
	return true;
}

static __always_inline void state_reset(struct stack_walk *st)
{
	st->hash = 0;
	st->nframes = 0;
	st->end = STACK_WHOLE;
	st->missing_module = 0;
	st->has_anon = 0;
}

enum stack_place { /* says where the registers of a probe are from */
		   STACK_AT_PROBE, /* the probed function */
		   STACK_AT_RETURN, /* the return from the function */
		   STACK_OF_CALLER, /* those near its entry, without its own frame */
};

/*
 * Begins with the caller of a function. After its first pushes, the function may have changed the
 * registers that it saves for its caller, so it is walked as a frame as well, which does not count.
 */
static __always_inline void begin_caller(struct stack_walk *st, u64 slot)
{
	if (st->regs.sp != slot) {
		unwind_begin(st);
		st->regs.exact = 1;
		if (!unwind_step(st))
			state_reset(st);
		return;
	}
	st->regs.pc = arch_return_address(slot);
	st->regs.sp = arch_caller_sp(slot);
	st->regs.exact = 0;
}

/* `slot` is where the return address is, for STACK_OF_CALLER. */
static __always_inline void take_stack_at(struct task_struct *task, struct stack_walk *st,
					  const struct pt_regs *regs, enum stack_place place,
					  u64 slot)
{
	if (!task->mm || !begin_user_stack(task, st, regs))
		return;
	st->regs.exact = place == STACK_AT_PROBE;
	if (place == STACK_OF_CALLER)
		begin_caller(st, slot);
	unwind_user(st);
}

/*
 * Takes the user frames, from the registers with which the task last left user mode. In a system
 * call the saved pc is after the instruction that made it, so it is treated as a return address.
 */
static __always_inline void take_user_stack(struct task_struct *task, struct stack_walk *st)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct mm_struct *mm = task->mm;

	if (!mm || !regs)
		return; /* a kernel thread: its kernel frames are the whole stack */
	if (!begin_user_stack(task, st, regs))
		return;
	st->regs.exact = arch_syscall(regs) == -1;
	if (is_exec(arch_syscall(regs))) {
		/* Half way through exec, the old program is gone and its registers are invalid. */
		if (!vma_find(mm, st->regs.pc, &st->found))
			return;
		st->regs.exact = 1; /* the new program's first instruction */
	}
	unwind_user(st);
}

/* ---- one stack, from start to end ---- */

static __always_inline u64 current_switches(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return task->nvcsw + task->nivcsw;
}

/*
 * Returns where frames can be taken, until stack_end(). It is NULL if the stack is lost, which is
 * counted.
 */
static __always_inline struct scratch *stack_begin(void)
{
	struct scratch *s = scratch_claim();

	if (!s) {
		stat_add(STAT_LOST_SCRATCH, 1);
		return NULL;
	}
	s->switches = current_switches();
	state_reset(&s->state);
	return s;
}

/* Sends the frames, unless they are known. It is false if they are lost. */
static __always_inline bool stack_finish(struct scratch *s, struct task_struct *task,
					 struct sample_key *key, u64 now,
					 const struct sample_count *n)
{
	struct sample_count *count;

	if (!s->state.nframes)
		return false;
	stat_add(STAT_SAMPLES, 1);
	fill_key(key, &s->state);
	if (s->state.end == STACK_LOADING) {
		struct sample_key pending = *key;

		pending.stack = ticket_of(task->pid, now);
		if (send_pending(&s->state, &pending, task)) {
			stat_add(STAT_PENDING, 1);
			*key = pending;
			count_add(key, n->samples, n->weight);
			return true;
		}
	}
	stat_add(STAT_ENDS_FIRST + s->state.end, 1);
	count = active_count(key);
	if (!count && !send_stack(s, key, task)) {
		stat_add(STAT_LOST_RING, 1);
		return false;
	}
	count_at(count, key, n->samples, n->weight);
	return true;
}

/* Gives the scratch memory back. `now` is when the program began. */
static __always_inline void stack_leave(struct scratch *s, u64 now)
{
	/* A uprobe's program can be preempted: others' time slices are not its cost. */
	bool preempted = s->switches != current_switches();

	scratch_release(s);
	if (!preempted)
		stat_add(STAT_NANOSECONDS, bpf_ktime_get_ns() - now);
}

/*
 * Ends the taking of frames: it sends them, unless they are known, and gives the key under which
 * they count: `n` now, and what is found out later by count_add(). `now` is when the program began.
 * It is false if the stack is lost.
 */
static __always_inline bool stack_end(struct scratch *s, struct task_struct *task,
				      struct sample_key *key, u64 now, struct sample_count n)
{
	bool taken = stack_finish(s, task, key, now, &n);

	stack_leave(s, now);
	return taken;
}

#define COUNTED_LATER ((struct sample_count){0})

#endif
