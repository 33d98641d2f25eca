/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* See regs.h. */
#ifndef CPROF_ARCH_STUB_TASK_BPF_H
#define CPROF_ARCH_STUB_TASK_BPF_H

static __always_inline u64 arch_pc(const struct pt_regs *regs)
{
	return regs->words[0];
}

static __always_inline u64 arch_sp(const struct pt_regs *regs)
{
	return regs->words[0];
}

static __always_inline bool arch_is_user_pc(u64 pc)
{
	return pc;
}

static __always_inline bool arch_is_64bit(const struct pt_regs *regs)
{
	return regs->words[0];
}

static __always_inline void arch_take_registers(struct user_regs *to, const struct pt_regs *regs)
{
	to->pc = regs->words[0];
}

static __always_inline u64 arch_argument(const struct pt_regs *regs, u32 number)
{
	return regs->words[number & 7];
}

static __always_inline u64 arch_result(const struct pt_regs *regs)
{
	return regs->words[0];
}

static __always_inline u64 arch_word(const struct pt_regs *regs, u8 number)
{
	return regs->words[number & 7];
}

static __always_inline u64 arch_return_address(u64 slot)
{
	return slot;
}

static __always_inline u64 arch_caller_sp(u64 slot)
{
	return slot;
}

static __always_inline bool arch_condition_holds(u32 condition, const struct pt_regs *regs)
{
	return regs->words[0] == condition;
}

static __always_inline s64 arch_syscall(const struct pt_regs *regs)
{
	return (s64)regs->words[0];
}

static __always_inline u64 arch_syscall_arg(const struct pt_regs *regs, u32 number)
{
	return regs->words[number & 7];
}

#define ARCH_SIGPENDING 1ul
#define ARCH_PAGE_SHIFT 12

static __always_inline u64 arch_thread_pointer(struct task_struct *task)
{
	return (u64)task;
}

static __always_inline u64 arch_mm_id(struct mm_struct *mm)
{
	return (u64)mm;
}

static __always_inline void arch_order_stores(void)
{
}

static __always_inline bool arch_spin_is_taken(u32 word, bool begun)
{
	return word && begun;
}

#endif
