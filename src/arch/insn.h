/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Describes one instruction, as far as placing probes and following code depend on it: where it
 * leads, which registers it writes, and how it moves the stack pointer. Registers are DWARF
 * numbers, and sets of them have a bit for each number.
 */
#ifndef CPROF_ARCH_INSN_H
#define CPROF_ARCH_INSN_H

#include "base/bytes.h"

#define ARCH_INSN_BYTES_MAX 15 /* of any architecture (Intel SDM volume 2, 2.3.11) */
#define ARCH_REG_NONE (-1)
#define ARCH_CONDITION_NONE 0xff

enum insn_flow {
	INSN_GOES_ON, /* to the next instruction */
	INSN_BRANCH, /* to `target`, or to the next instruction */
	INSN_JUMP,
	INSN_CALL,
	INSN_RETURN, /* to the caller, and it removes nothing but the return address */
	INSN_OTHER_RETURN,
	INSN_STOPS, /* a trap, or the processor halts */
};

struct arch_insn {
	u64 vaddr;
	enum insn_flow flow;
	u8 length;
	/* BRANCH, JUMP, CALL: the address if the instruction contains it */
	bool has_target;
	u64 target;
	/* JUMP, CALL: where the destination is read from, if that is a fixed address */
	bool has_slot;
	u64 slot;
	/* JUMP: it selects one of the addresses in a table, as a switch does */
	bool is_table_jump;
	/*
	 * JUMP: the register with the destination. It is a switch, too, if an instruction of
	 * `sum_bytes` bytes right before adds something to this register (its `sum_reg`).
	 */
	s8 jump_reg;
	u8 sum_bytes;
	s8 sum_reg;
	/* Control may not continue after it, or somebody else's code runs first. */
	bool ends_line;
	bool enters_kernel; /* It traps or needs privileges, so it must not get a breakpoint. */
	bool is_landing_pad; /* It only marks where indirect jumps may go. */
	/* BRANCH: the code for arch_condition_holds() of BPF programs, or NONE */
	u8 condition;

	u32 written;
	s8 moved_from, moved_to; /* A whole register is copied; NONE if not. */
	s8 cleared; /* the register that becomes 0; NONE if none does */
	bool stack_known; /* The stack pointer falls by `stack_change` bytes. */
	s64 stack_change;
	bool switches_stack; /* The stack pointer gets a value from somewhere else. */

	u8 probe; /* for arch_probe_cost() */
};

/* Decodes the first instruction of `code`, which is at `vaddr`; false if there is none or it cannot
 * be decoded. */
bool arch_insn_decode(struct bytes code, u64 vaddr, struct arch_insn *out);

/* Writes the same instruction as text ("push r12"), or nothing if it cannot be decoded. */
void arch_insn_text(struct bytes code, u64 vaddr, char *out, size_t size);

#endif
