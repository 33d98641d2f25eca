/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Reads what the kernel keeps of a thread of x86-64, for BPF programs. */
#ifndef CPROF_BPF_ARCH_X86_TASK_BPF_H
#define CPROF_BPF_ARCH_X86_TASK_BPF_H

/* ---- the registers of user code, or of a probe ---- */

static __always_inline u64 arch_pc(const struct pt_regs *regs)
{
	return regs->ip;
}

static __always_inline u64 arch_sp(const struct pt_regs *regs)
{
	return regs->sp;
}

/* The upper half belongs to the kernel. */
static __always_inline bool arch_is_user_pc(u64 pc)
{
	return (s64)pc >= 0;
}

#define USER_CS_64 0x33 /* arch/x86/include/asm/segment.h: __USER_CS */

static __always_inline bool arch_is_64bit(const struct pt_regs *regs)
{
	return (u16)regs->cs == USER_CS_64;
}

/* Converts System V order to DWARF's (psABI figure 3.36). */
static __always_inline void registers_by_dwarf(u64 *to, const struct pt_regs *regs)
{
	to[0] = regs->ax;
	to[1] = regs->dx;
	to[2] = regs->cx;
	to[3] = regs->bx;
	to[4] = regs->si;
	to[5] = regs->di;
	to[6] = regs->bp;
	to[7] = regs->sp;
	to[8] = regs->r8;
	to[9] = regs->r9;
	to[10] = regs->r10;
	to[11] = regs->r11;
	to[12] = regs->r12;
	to[13] = regs->r13;
	to[14] = regs->r14;
	to[15] = regs->r15;
}

/* Takes everything except whether the pc is exact. */
static __always_inline void arch_take_registers(struct user_regs *to, const struct pt_regs *regs)
{
	to->pc = regs->ip;
	to->sp = regs->sp;
	to->fp = regs->bp;
	to->callee = regs->bx;
	registers_by_dwarf(to->by_dwarf, regs);
	to->known = 1;
	to->callee_known = 1;
}

/* ---- calls of functions: System V ABI ---- */

static __always_inline u64 arch_argument(const struct pt_regs *regs, u32 number)
{
	return number == 0 ? regs->di : number == 1 ? regs->si : regs->dx;
}

static __always_inline u64 arch_result(const struct pt_regs *regs)
{
	return regs->ax;
}

/* Returns any register, by its ARCH_WORD. */
static __always_inline u64 arch_word(const struct pt_regs *regs, u8 number)
{
	u64 value = 0;

	if (number < sizeof(*regs) / sizeof(u64))
		bpf_probe_read_kernel(&value, sizeof(value), (const u64 *)regs + number);
	return value;
}

/* Returns where a call whose return address is at `slot` will return to, and with which stack
 * pointer. */
static __always_inline u64 arch_return_address(u64 slot)
{
	u64 address = 0;

	bpf_probe_read_user(&address, sizeof(address), (void *)slot);
	return address;
}

static __always_inline u64 arch_caller_sp(u64 slot)
{
	return slot + sizeof(u64);
}

/* Bit 0 of the condition code negates it (Intel SDM volume 1, appendix B). */
static __always_inline bool arch_condition_holds(u32 condition, const struct pt_regs *regs)
{
	u64 flags = regs->flags;
	bool carry = flags & 1, parity = flags >> 2 & 1, zero = flags >> 6 & 1,
	     sign = flags >> 7 & 1, overflow = flags >> 11 & 1, holds = false;

	switch (condition >> 1 & 7) {
	case 0:
		holds = overflow;
		break;
	case 1:
		holds = carry;
		break;
	case 2:
		holds = zero;
		break;
	case 3:
		holds = carry || zero;
		break;
	case 4:
		holds = sign;
		break;
	case 5:
		holds = parity;
		break;
	case 6:
		holds = sign != overflow;
		break;
	case 7:
		holds = zero || sign != overflow;
		break;
	}
	return holds != (condition & 1);
}

/* ---- system calls ---- */

/* Returns its number, or -1 if the thread entered the kernel in another way (arch/x86/entry). */
static __always_inline s64 arch_syscall(const struct pt_regs *regs)
{
	return (s64)regs->orig_ax;
}

/* Returns one of its first five arguments. */
static __always_inline u64 arch_syscall_arg(const struct pt_regs *regs, u32 number)
{
	switch (number) {
	case 0:
		return regs->di;
	case 1:
		return regs->si;
	case 2:
		return regs->dx;
	case 3:
		return regs->r10;
	default:
		return regs->r8;
	}
}

/* ---- the task ---- */

#define ARCH_SIGPENDING (1ul << 2) /* in thread_info.flags: arch/x86/include/asm/thread_info.h */
#define ARCH_PAGE_SHIFT 12

/* The value is from when the thread last left the CPU, and only a system call (at its start)
 * changes it. */
static __always_inline u64 arch_thread_pointer(struct task_struct *task)
{
	return task->thread.fsbase;
}

/* Returns a number that differs for every address space since boot, and is never used again. */
static __always_inline u64 arch_mm_id(struct mm_struct *mm)
{
	return mm->context.ctx_id;
}

/* x86 keeps the order of stores, so only the compiler has to be told. */
static __always_inline void arch_order_stores(void)
{
	__asm__ volatile("" ::: "memory");
}

/* Returns whether glibc's spin lock is taken, which counts down from 1. `begun` says that this
 * thread took it just before. */
static __always_inline bool arch_spin_is_taken(u32 word, bool begun)
{
	return (s32)word <= (begun ? -1 : 0);
}

#endif
