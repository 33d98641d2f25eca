/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Finds where Go's runtime switches from one stack to another on amd64 (enum unwind_go), where the
 * return address is directly above each frame.
 */
#ifndef CPROF_BPF_ARCH_X86_GO_H
#define CPROF_BPF_ARCH_X86_GO_H

/* Words of struct g and m (runtime/runtime2.go), which have not moved since Go 1.5. */
enum go_word {
	GO_STACK_LO,
	GO_STACK_HI,
	GO_M = 6,
	GO_SCHED_SP,
	GO_SCHED_PC,
	GO_WORDS,
};

enum go_stack {
	GO_STACK_UNKNOWN,
	GO_STACK_NONE, /* the thread runs no goroutine */
	GO_STACK_HERE, /* rsp is on the goroutine's stack */
	GO_STACK_LEFT,
};

static __always_inline bool on_go_stack(const u64 *g, u64 sp)
{
	return sp >= g[GO_STACK_LO] && sp < g[GO_STACK_HI];
}

static __always_inline bool read_go(u64 *g, u64 addr)
{
	return user_address(addr) && env_read_user(g, GO_WORDS * sizeof(u64), addr);
}

/* Finds the goroutine that the thread runs (into scratch), and whether rsp is on its stack. */
static __always_inline enum go_stack find_goroutine(struct stack_walk *st,
						    const struct unwind_rule *rule, u64 *m)
{
	u64 fs = rule->cfa_add ? env_thread_pointer() : 0, g, *curg = st->scratch;

	if (!fs || !env_read_user(&g, sizeof(g), fs + (s64)rule->cfa_add))
		return GO_STACK_UNKNOWN;
	if (!g) /* C's own thread, or one that is about to end */
		return GO_STACK_NONE;
	if (!env_read_user(m, sizeof(*m), g + GO_M * sizeof(u64)) ||
	    !env_read_user(&g, sizeof(g), *m + (s64)rule->fp_off))
		return GO_STACK_UNKNOWN;
	if (!g)
		return GO_STACK_NONE;
	if (!read_go(curg, g) || curg[GO_M] != *m)
		return GO_STACK_UNKNOWN;
	return on_go_stack(curg, st->regs.sp) ? GO_STACK_HERE : GO_STACK_LEFT;
}

/* Reads the slots that asmcgocall fills before it calls C: the depth in g's stack and, above it,
 * g. */
static __always_inline bool leave_c(struct stack_walk *st, const struct unwind_rule *rule)
{
	u64 slot[2], *g = st->scratch;

	if (!rule->ra_off || !read_words(st, slot, 2, st->regs.sp + (s64)rule->ra_off - 8))
		return false;
	if (!slot[1]) { /* it was on this stack before, so this is rsp itself */
		if (slot[0] <= st->regs.sp || slot[0] - st->regs.sp > 128)
			return false;
		st->regs.sp = slot[0];
		return true;
	}
	if (!read_go(g, slot[1]) || !on_go_stack(g, g[GO_STACK_HI] - slot[0]))
		return false;
	st->regs.sp = g[GO_STACK_HI] - slot[0];
	return true;
}

/* Callbacks nest: each keeps the previous g0.sched.sp at the place that it then points to. */
static __always_inline bool leave_callback(struct stack_walk *st, u64 m)
{
	u64 g0, sp = st->go_system_sp, *g = st->scratch;

	if (!sp) {
		if (!env_read_user(&g0, sizeof(g0), m) || !read_go(g, g0))
			return false;
		sp = g[GO_SCHED_SP];
	}
	st->regs.sp = sp;
	return env_read_user(&st->go_system_sp, sizeof(u64), sp);
}

/* Applies the rest of a Go rule, once rsp is known. */
static __always_inline int enter_go_caller(struct stack_walk *st, const struct unwind_rule *rule)
{
	u64 pair[2], cfa = st->regs.sp + (s64)rule->cfa_off;

	if (!read_words(st, pair, 2, cfa - 16) || !pair[1])
		return end_stack(st, STACK_SWITCH);
	if (rule->cfa_off > 8)
		st->regs.fp = pair[0];
	st->regs.callee_known = 0;
	return resume_caller(st, pair[1], cfa);
}

/* Does the same as step_frame_pointer(), but from g0's stack to the goroutine's, which may be
 * below. */
static __always_inline int step_vdso_call(struct stack_walk *st)
{
	u64 pair[2], bp = st->regs.fp;

	if ((bp & 7) || !read_words(st, pair, 2, bp) || !pair[1])
		return end_stack(st, STACK_SWITCH);
	st->regs.fp = pair[0];
	return resume_caller(st, pair[1], bp + 16);
}

/* On g0's stack in systemstack or morestack, or where rsp was just changed, the walk continues with
 * what `g` was doing. */
static __always_inline int leave_system_stack(struct stack_walk *st, const struct unwind_rule *rule)
{
	const u64 *g = st->scratch;

	if (!on_go_stack(g, g[GO_SCHED_SP]))
		return end_stack(st, STACK_SWITCH);
	if (rule->cfa_reg == UNWIND_GO_MORESTACK)
		return resume_caller(st, g[GO_SCHED_PC], g[GO_SCHED_SP]);
	st->regs.sp = g[GO_SCHED_SP];
	return enter_go_caller(st, rule);
}

/* The thread is neither on a goroutine's stack nor called from one, as far as the runtime says. */
static __always_inline int step_go_alone(struct stack_walk *st, const struct unwind_rule *rule)
{
	if (rule->cfa_reg == UNWIND_GO_MORESTACK) /* preempted: the scheduler is running now */
		return end_stack(st, STACK_WHOLE);
	if (!st->regs.exact && rule->cfa_reg != UNWIND_GO_CGOCALLBACK)
		return end_stack(st, STACK_SWITCH);
	return enter_go_caller(st, rule);
}

static __always_inline int arch_step_go(struct stack_walk *st, const struct unwind_rule *rule)
{
	enum go_stack at;
	u64 m = 0;

	if (!st->regs.exact && rule->cfa_reg == UNWIND_GO_MCALL)
		return end_stack(st, STACK_WHOLE);
	if (!st->regs.exact && rule->cfa_reg == UNWIND_GO_VDSO)
		return step_vdso_call(st);
	if (!st->regs.exact && rule->cfa_reg == UNWIND_GO_ASMCGOCALL && leave_c(st, rule))
		return enter_go_caller(st, rule);
	at = find_goroutine(st, rule, &m);
	if (at == GO_STACK_UNKNOWN)
		return end_stack(st, STACK_SWITCH);
	if (at == GO_STACK_HERE) {
		if (rule->cfa_reg == UNWIND_GO_CGOCALLBACK && !leave_callback(st, m))
			return end_stack(st, STACK_SWITCH);
		return enter_go_caller(st, rule);
	}
	if (rule->cfa_reg == UNWIND_GO_MCALL)
		return end_stack(st, STACK_WHOLE);
	if (rule->cfa_reg == UNWIND_GO_VDSO)
		return step_vdso_call(st);
	if (at == GO_STACK_LEFT && rule->cfa_reg != UNWIND_GO_CGOCALLBACK)
		return leave_system_stack(st, rule);
	return step_go_alone(st, rule);
}

#endif
