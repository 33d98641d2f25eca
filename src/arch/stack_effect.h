/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Describes what one machine instruction does to the stack, without saying which architecture it is
 * of: how it moves the stack pointer, which values it copies between registers and the stack, and
 * where control continues. It is enough to find, at each address of a function, where its caller's
 * frame is (unwind/code_flow.h).
 *
 * Registers have their DWARF numbers (bpf/arch/regs.h). Effects that are not described are left to
 * `clobbers`: the register has some unknown value afterwards.
 */
#ifndef CPROF_ARCH_STACK_EFFECT_H
#define CPROF_ARCH_STACK_EFFECT_H

#include "base/bpf_shared.h"
#include "base/bytes.h"

#define EFFECT_NO_REG 0xff
#define EFFECT_JUMP_REG ARCH_USER_REGS /* holds where an indirect jump goes */
#define EFFECT_REGS (ARCH_USER_REGS + 1)

enum effect_kind {
	EFFECT_MOVE, /* reg = from + add */
	EFFECT_CONST, /* reg = add: a number */
	EFFECT_ADDRESS, /* reg = add: an address of the file */
	EFFECT_ALIGN, /* reg is rounded down */
	EFFECT_LOAD, /* reg = the word at from + add */
	EFFECT_STORE, /* `size` bytes at from + add = reg, which may be EFFECT_NO_REG */
	EFFECT_TABLE, /* reg = an entry of the table at `from`, of `size` bytes (4: signed) */
	EFFECT_SUM, /* reg = reg + from */
	EFFECT_BOUND, /* some register is at most `add` from here on */
	EFFECT_COMPARE, /* some register was compared with `add` */
};

struct effect {
	u8 kind; /* enum effect_kind */
	u8 reg, from;
	u8 size;
	s64 add;
};

enum effect_flow {
	FLOW_NEXT,
	FLOW_JUMP, /* to `target` */
	FLOW_BRANCH, /* to `target` or on */
	FLOW_CALL, /* to `target` if `has_target` */
	FLOW_RETURN,
	FLOW_INDIRECT, /* to the value of EFFECT_JUMP_REG */
	FLOW_STOP, /* it traps */
};

#define EFFECTS_MAX 4

struct stack_effect {
	u8 length; /* of the instruction, in bytes */
	u8 flow; /* enum effect_flow */
	u8 n;
	bool has_target;
	/* A branch is taken where the comparison before found the register above (1), or above or
	 * equal (2), without sign. */
	u8 above;
	bool by_slot; /* an indirect jump goes to an address in a fixed place, such as an import */
	bool is_padding; /* it does nothing, or traps, so compilers fill gaps with it */
	u32 clobbers; /* registers whose value is unknown afterwards; applied before `list` */
	u32 uses; /* registers whose value matters, other than to be stored as it is */
	u64 target;
	struct effect list[EFFECTS_MAX];
};

/* Decodes the first instruction of `code`, which is at `vaddr`; false if there is none. */
bool stack_effect_decode(struct bytes code, u64 vaddr, struct stack_effect *out);

#define STACK_EFFECT_MENTION_MAX 7u /* bytes of such an instruction */
/*
 * Returns whether `code`, which may be any STACK_EFFECT_MENTION_MAX bytes at `vaddr`, looks like an
 * instruction that calls a function or takes its address.
 */
bool stack_effect_mentions(const u8 *code, u64 vaddr, u64 *function);

/* Registers that a called function keeps, without the stack pointer (System V ABI, 3.2.1). It does
 * not use their values before it has set them. */
extern const u32 stack_effect_kept;

#endif
