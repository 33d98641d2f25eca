/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds what is known, before an instruction of a function, of the values that lead to the caller's
 * frame: which registers hold an address in the stack, and where the caller's registers are.
 * Addresses in the stack are distances from the CFA, which is the stack pointer before the call
 * (DWARF 5, section 6.4), or from where the stack pointer was after it was aligned.
 */
#ifndef CPROF_UNWIND_FLOW_STATE_H
#define CPROF_UNWIND_FLOW_STATE_H

#include "arch/stack_effect.h"

/* A value is a kind in the upper four bits and a signed number in the others. */
enum flow_kind {
	FLOW_UNKNOWN = 0,
	FLOW_CFA, /* the CFA + number */
	FLOW_ALIGNED, /* the aligned stack pointer + number */
	FLOW_CALLERS, /* what register `number` had in the caller; ARCH_DWARF_RA: return address */
	FLOW_NUMBER,
	/* These are addresses in the file, as distances from the code (flow_bias). */
	FLOW_ADDRESS, /* that address */
	FLOW_ENTRY, /* a signed 4-byte entry of the table there */
	FLOW_TARGET, /* the table's address + such an entry */
	FLOW_POINTER, /* an 8-byte entry of the table there */
};

typedef u32 flow_value;

static inline flow_value flow_make(enum flow_kind kind, s64 number)
{
	if (number < -(1 << 27) || number >= 1 << 27)
		return FLOW_UNKNOWN;
	return (u32)kind << 28 | ((u32)number & 0x0fffffff);
}

static inline enum flow_kind flow_kind_of(flow_value v)
{
	return (enum flow_kind)(v >> 28);
}

static inline s32 flow_number(flow_value v)
{
	return (s32)(v << 4) >> 4;
}

#define FLOW_SLOTS 8

struct flow_slot { /* a word of the stack that holds a known value */
	flow_value at; /* FLOW_CFA or FLOW_ALIGNED; 0 if the slot is unused */
	flow_value value;
};

/* What is remembered for each address. Two of them can be compared as memory. */
struct flow_state {
	flow_value reg[ARCH_USER_REGS];
	struct flow_slot slot[FLOW_SLOTS]; /* sorted, unused ones last */
};

/* What is known while instructions that follow each other are looked at. */
struct flow {
	struct flow_state s;
	u64 bias; /* FLOW_ADDRESS counts from here */
	/* Other values that are only of use for jumps through tables. */
	flow_value local[EFFECT_REGS];
	u32 compared; /* with this number; UINT32_MAX if unknown */
	u32 bound; /* the number of entries of a table; 0 if unknown */
};

/* Begins as on entry to a function. */
void flow_enter(struct flow *f, u64 bias);
/* Begins with a remembered state. */
void flow_resume(struct flow *f, u64 bias, const struct flow_state *s);
/* Applies an instruction. Calls leave what the called function must not change. */
void flow_apply(struct flow *f, const struct stack_effect *e);
/* Continues behind a branch that is not taken. */
void flow_not_taken(struct flow *f, const struct stack_effect *e);

/* Returns whether an indirect jump goes through a table (FLOW_TARGET or FLOW_POINTER), and how many
 * entries that has; 0 if it is not known. */
bool flow_jump_table(const struct flow *f, enum flow_kind *kind, u64 *vaddr, u32 *entries);

/* Keeps in `to` what is true in both. It is true if they disagree on the stack pointer. */
bool flow_meet(struct flow_state *to, const struct flow_state *from);

/* Returns whether control may return here: sp is as on entry or unknown, and so is the frame
 * pointer. */
bool flow_may_return(const struct flow_state *s);
/* Returns whether the instruction uses what a register had in the caller. No function does. */
bool flow_uses_callers(const struct flow_state *s, const struct stack_effect *e);
/* Returns whether sp is known to be as on entry. */
bool flow_is_at_return(const struct flow_state *s);

/* Returns how the caller's frame is found (UNWIND_CFA_NONE if that is not known). */
struct unwind_rule flow_rule(const struct flow_state *s);

#endif
