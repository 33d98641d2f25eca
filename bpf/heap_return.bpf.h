/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Sees that a sampled call returns. A return probe does it if the function can be left only by a
 * return. Everywhere else breakpoints inside the function do it, at places where the result is
 * known (src/collect/probe/return_site.h).
 */
#ifndef CPROF_BPF_HEAP_RETURN_BPF_H
#define CPROF_BPF_HEAP_RETURN_BPF_H

/* Returns where the return address of a call is, because its probe may come after the function has
 * pushed something. */
static __always_inline u64 call_slot(const struct pt_regs *regs, const struct heap_site *site)
{
	return arch_sp(regs) + site->stack_bytes;
}

/* ---- return probes ---- */

#define RETURNS_LOOKED_AT 8

static __always_inline struct return_instance *first_return(struct task_struct *task)
{
	struct uprobe_task *utask = task->utask;

	return utask ? BPF_CORE_READ(utask, return_instances) : NULL;
}

/*
 * A new return probe makes the kernel drop its entries for all earlier ones below the stack
 * pointer, because it takes them for left behind by longjmp (kernel/events/uprobes.c,
 * cleanup_return_instances). If one of them is still pending, on another stack, its function would
 * return into SIGILL. The present value of its return address proves nothing, because the
 * trampoline, which a signal may interrupt, begins by overwriting it. And nothing that has a return
 * probe of ours can be left in another way.
 */
static __always_inline bool returns_elsewhere(struct task_struct *task, u64 sp)
{
	struct return_instance *ri = first_return(task);
	u64 stack;

	for (u32 i = 0; i < RETURNS_LOOKED_AT; i++) {
		if (!ri)
			return false;
		stack = BPF_CORE_READ(ri, stack);
		/* The return address of the call that has just begun is at sp itself. */
		if (stack != sp)
			return stack < sp; /* above it the kernel does not look further, either */
		ri = BPF_CORE_READ(ri, next);
	}
	return true;
}

/* These are bits of thread_info.syscall_work (include/linux/thread_info.h, enum
 * syscall_work_bit). */
#define SYSCALL_WORK_TRACE (1ul << 2)
#define SYSCALL_WORK_EMU (1ul << 3)
#define SYSCALL_WORK_USER_DISPATCH (1ul << 5)

/*
 * Returns whether something other than the kernel answers the thread's system calls: a handler in
 * the program itself (PR_SET_SYSCALL_USER_DISPATCH), or a tracer. Since 6.11 a return probe ends in
 * a system call, which would also go there, where nobody knows it. The thread would continue at the
 * trampoline's end with whatever was left there, which is SIGSEGV.
 */
static __always_inline bool syscalls_intercepted(struct task_struct *task)
{
	return BPF_CORE_READ(task, thread_info.syscall_work) &
	       (SYSCALL_WORK_TRACE | SYSCALL_WORK_EMU | SYSCALL_WORK_USER_DISPATCH);
}

/* Returns whether the kernel waits for the return whose address was at `slot`. */
static __always_inline bool return_pends(struct task_struct *task, u64 slot)
{
	struct return_instance *ri = first_return(task);

	for (u32 i = 0; i < RETURNS_LOOKED_AT && ri; i++) {
		if (BPF_CORE_READ(ri, stack) == slot)
			return true;
		ri = BPF_CORE_READ(ri, next);
	}
	return false;
}

/* ---- the call that is waited for ---- */

/* It is false if the call was left by an exception or a jump, or returned NULL where there is no
 * breakpoint. */
static __always_inline bool is_waiting(const struct heap_thread *t, struct task_struct *task)
{
	u64 word = 0;

	if (!t->armed_return)
		return return_pends(task, t->armed_sp);
	return !bpf_probe_read_user(&word, sizeof(word), (void *)t->armed_sp) &&
	       word == t->armed_return;
}

/* include/linux/sched/signal.h: __on_sig_stack */
static __always_inline bool on_signal_stack(struct task_struct *task, u64 sp)
{
	u64 base = BPF_CORE_READ(task, sas_ss_sp);

	return sp > base && sp - base <= BPF_CORE_READ(task, sas_ss_size);
}

/*
 * Returns whether the stack from `regs` on leads through a call whose return address is at `slot`.
 * An address that looks right may be left over: a call that an exception ended, or that returned
 * NULL, leaves it in memory that later frames cover but need not overwrite.
 */
__noinline bool stack_leads_to(struct pt_regs *regs, u64 slot)
{
	struct task_struct *task = bpf_get_current_task_btf();
	bool found = true; /* if it cannot be determined */
	struct scratch *s = scratch_claim();

	if (!s)
		return found;
	state_reset(&s->state);
	if (task->mm && begin_user_stack(task, &s->state, regs)) {
		s->state.regs.exact = 1;
		unwind_begin(&s->state);
		walk_frames(&s->state, slot);
		found = s->state.regs.sp <= slot
				? s->state.end != STACK_WHOLE && s->state.end != STACK_NO_CALLER
				: s->state.regs.sp == slot + sizeof(u64);
	}
	scratch_release(s);
	return found;
}

/* The thread is in a signal handler that interrupted the call, although its stack is above. */
static __always_inline bool interrupts_armed(const struct heap_thread *t, struct task_struct *task,
					     u64 sp)
{
	return on_signal_stack(task, sp) && !on_signal_stack(task, t->armed_sp);
}

/* The call failed, by an exception or with NULL. */
static __always_inline bool call_lost(struct heap_thread *t)
{
	t->armed_sp = 0;
	if (t->sampled)
		stat_add(STAT_HEAP_FAILED, 1);
	return false;
}

/* Returns whether this is inside a sampled call of the same thread whose return is awaited. */
static __always_inline bool is_nested(struct heap_thread *t, const struct heap_site *site,
				      struct pt_regs *regs, struct task_struct *task)
{
	u64 slot = call_slot(regs, site);

	if (!t->armed_sp)
		return false;
	if (is_waiting(t, task)) {
		if (interrupts_armed(t, task, slot))
			return true;
		if (slot < t->armed_sp)
			return stack_leads_to(regs, t->armed_sp) || call_lost(t);
		/* The place is the same, so the call jumped here, unless the function was called
		 * once more. */
		if (slot == t->armed_sp && (!t->armed_return || t->armed_site != site->number))
			return true;
		/*
		 * This is on another stack. The first call is not given up for the second one,
		 * which must not get a probe.
		 */
		if (slot > t->armed_sp && !t->armed_return) {
			stat_add(STAT_HEAP_DECLINED, 1);
			return true;
		}
	}
	return call_lost(t);
}

/* ---- places where a result is known ---- */

/* Returns the call of this thread that is about to return here, or NULL if none was sampled. */
static __always_inline struct heap_thread *returning_thread(struct pt_regs *regs,
							    const struct heap_site *site,
							    struct task_struct *task)
{
	struct heap_thread *t = bpf_task_storage_get(&threads, task, NULL, 0);

	if (!t || !t->armed_sp || !t->armed_return || call_slot(regs, site) != t->armed_sp)
		return NULL;
	return is_waiting(t, task) ? t : NULL;
}

#endif
