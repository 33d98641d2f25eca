/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Tells the stack walker (../../unwind.h) what it needs to know of x86-64: frames that no row
 * describes, which it recognizes by registers and code. */
#ifndef CPROF_BPF_ARCH_X86_WALK_H
#define CPROF_BPF_ARCH_X86_WALK_H

#define TRAMPOLINE_BYTES 128u /* UPROBE_XOL_SLOT_BYTES of arch/x86/include/asm/uprobes.h */

/* Offsets in the kernel's rt_sigframe as it is at rsp inside the restorer: ucontext, sigcontext. */
#define SIGFRAME_REGISTERS 40
enum sigcontext_slot { /* arch/x86/include/uapi/asm/sigcontext.h: struct sigcontext_64 */
		       SC_R8,
		       SC_R9,
		       SC_R10,
		       SC_R11,
		       SC_R12,
		       SC_R13,
		       SC_R14,
		       SC_R15,
		       SC_RDI,
		       SC_RSI,
		       SC_RBP,
		       SC_RBX,
		       SC_RDX,
		       SC_RAX,
		       SC_RCX,
		       SC_RSP,
		       SC_RIP,
};

/* The kernel saved every register of the interrupted code, so it is a leaf again. */
static __always_inline int arch_step_signal(struct stack_walk *st)
{
	u64 *sc = st->scratch;

	if (!env_read_user(sc, ARCH_SIGNAL_WORDS * sizeof(u64), st->regs.sp + SIGFRAME_REGISTERS))
		return end_stack(st, STACK_UNREADABLE);
	st->regs.by_dwarf[0] = sc[SC_RAX];
	st->regs.by_dwarf[1] = sc[SC_RDX];
	st->regs.by_dwarf[2] = sc[SC_RCX];
	st->regs.by_dwarf[3] = sc[SC_RBX];
	st->regs.by_dwarf[4] = sc[SC_RSI];
	st->regs.by_dwarf[5] = sc[SC_RDI];
	st->regs.by_dwarf[ARCH_DWARF_FP] = sc[SC_RBP];
	st->regs.by_dwarf[ARCH_DWARF_SP] = sc[SC_RSP];
	for (int i = 0; i < 8; i++)
		st->regs.by_dwarf[8 + i] = sc[SC_R8 + i];
	/* sp need not grow here, because the handler may run on an alternate stack. */
	st->regs.pc = sc[SC_RIP];
	st->regs.sp = sc[SC_RSP];
	st->regs.fp = sc[SC_RBP];
	st->regs.callee = sc[SC_RBX];
	st->regs.exact = 1;
	st->regs.known = 1;
	st->regs.callee_known = 1;
	return 0;
}

/* Returns the frame of an entry of a lazily bound PLT, which pushes one word in its second part. */
static __always_inline u64 arch_plt_frame(const struct stack_walk *st,
					  const struct unwind_rule *rule)
{
	return st->regs.sp + 8 + ((st->regs.pc & 15) >= (u64)rule->cfa_off ? 8 : 0);
}

/* Finds the caller of a leaf that has pushed nothing: its return address, and its stack pointer. */
static __always_inline bool arch_leaf_caller(struct stack_walk *st, u64 *ra, u64 *sp)
{
	*sp = st->regs.sp + sizeof(u64);
	return read_words(st, ra, 1, st->regs.sp);
}

/* Returns whether the instruction before `ra` is a call: e8 rel32, or ff /2 in one of its
 * lengths. */
static __always_inline bool arch_follows_call(u64 ra)
{
	u8 code[8];

	if (!user_address(ra) || !env_read_user(code, sizeof(code), ra - sizeof(code)))
		return false;
	if (code[3] == 0xe8)
		return true;
	return (code[6] == 0xff && (code[7] & 0x38) == 0x10) ||
	       (code[5] == 0xff && (code[6] & 0x38) == 0x10) ||
	       (code[4] == 0xff && (code[5] & 0x38) == 0x10) ||
	       (code[2] == 0xff && (code[3] & 0x38) == 0x10) ||
	       (code[1] == 0xff && (code[2] & 0x38) == 0x10);
}

#define CALL_BYTES 5 /* e8 rel32 */

/* Returns where the direct call before `ra` leads; 0 if there is none. */
static __always_inline u64 arch_call_target(u64 ra)
{
	u8 code[8];
	s32 distance;

	if (!user_address(ra) || !env_read_user(code, sizeof(code), ra - sizeof(code)) ||
	    code[sizeof(code) - CALL_BYTES] != 0xe8)
		return 0;
	__builtin_memcpy(&distance, &code[sizeof(code) - sizeof(distance)], sizeof(distance));
	return ra + (s64)distance;
}

/*
 * Handles return probes of any program. Since 6.11 the trampoline that they put in place of a
 * return address is (arch/x86/kernel/uprobes.c)
 *
 *   0 push rax   1 push rcx   2 push r11   4 mov NR, rax   11 syscall   13 pop r11   15 pop rcx
 *   16 ret
 *
 * and before that it is one breakpoint. The system call removes the kernel's entry, and puts the
 * address where rax was.
 */
#define TRAMPOLINE_CALLED 13

/* Returns where the return address was, from how much the trampoline has pushed. */
static __always_inline u64 trampoline_slot(const struct stack_walk *st)
{
	switch (st->regs.pc - st->trampoline) {
	case 0:
		return st->regs.sp - 8;
	case 1:
	case 16:
		return st->regs.sp;
	case 2:
	case 15:
		return st->regs.sp + 8;
	default:
		return st->regs.sp + 16;
	}
}

/* Within the system call, rsp has the value that it had before the trampoline began. */
static __always_inline u64 hidden_return(struct stack_walk *st, u64 *slot)
{
	bool called = st->regs.pc - st->trampoline >= TRAMPOLINE_CALLED;
	u64 address = called ? env_hidden_return(st->regs.sp - 8, false) : 0;

	*slot = st->regs.sp - 8;
	if (address)
		return address;
	*slot = trampoline_slot(st);
	address = env_hidden_return(*slot, called);
	if (address || !called)
		return address;
	return read_words(st, &address, 1, *slot) && arch_follows_call(address) ? address : 0;
}

static __always_inline bool arch_is_trampoline(const struct stack_walk *st)
{
	return st->trampoline && st->regs.pc - st->trampoline < TRAMPOLINE_BYTES;
}

/*
 * While the kernel puts the trampoline's address on the stack, the true one is only in its own
 * registers, because its entry is made later.
 */
static __always_inline bool arch_leave_trampoline(struct stack_walk *st)
{
	u64 slot, address = hidden_return(st, &slot);

	st->regs.pc = address;
	st->regs.sp = slot + sizeof(u64);
	st->regs.exact = 0;
	return address != 0;
}

#include "go.h"

#endif
