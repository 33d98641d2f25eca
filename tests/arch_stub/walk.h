/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* See regs.h. */
#ifndef CPROF_ARCH_STUB_WALK_H
#define CPROF_ARCH_STUB_WALK_H

static __always_inline int arch_step_signal(struct stack_walk *st)
{
	return end_stack(st, STACK_NO_ROW);
}

static __always_inline u64 arch_plt_frame(const struct stack_walk *st,
					  const struct unwind_rule *rule)
{
	return st->regs.sp + (u64)rule->cfa_off;
}

static __always_inline bool arch_leaf_caller(struct stack_walk *st, u64 *ra, u64 *sp)
{
	*sp = st->regs.sp;
	return read_words(st, ra, 1, *sp);
}

static __always_inline bool arch_follows_call(u64 ra)
{
	return user_address(ra);
}

static __always_inline u64 arch_call_target(u64 ra)
{
	return ra;
}

static __always_inline bool arch_is_trampoline(const struct stack_walk *st)
{
	return st->trampoline == st->regs.pc;
}

static __always_inline bool arch_leave_trampoline(struct stack_walk *st)
{
	st->regs.pc = env_hidden_return(st->regs.sp, false);
	return st->regs.pc;
}

static __always_inline int arch_step_go(struct stack_walk *st, const struct unwind_rule *rule)
{
	return end_stack(st, env_thread_pointer() == rule->cfa_reg ? STACK_SWITCH : STACK_NO_ROW);
}

#endif
