/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds which registers a called function leaves alone, from its code. Functions in assembly call
 * each other without the ABI's convention: libx264 keeps the stack pointer of before it was aligned
 * only in a register that functions may change, while it calls functions of its own that do not.
 */
#ifndef CPROF_UNWIND_CALL_CHANGES_H
#define CPROF_UNWIND_CALL_CHANGES_H

#include "base/budget.h"
#include "unwind/code_marks.h"
#include "unwind/file_image.h"
#include "unwind/flow_state.h"
#include "unwind/u64_set.h"

struct call_changes {
	struct file_image *image;
	struct code_marks *marks;
	struct budget *budget;
	struct { /* what was found lately */
		u64 function; /* 0 if the slot is free */
		u32 changed;
	} recent[64];
	struct u64_set kept; /* calls and registers: call_changes_keeps() */
};

/* All are borrowed. Only code in the ranges of `marks` is looked at; BUDGET_CODE is charged. */
void call_changes_init(struct call_changes *c, struct file_image *image, struct code_marks *marks,
		       struct budget *budget);
void call_changes_release(struct call_changes *c);

/*
 * Looks at an instruction that is reached with a state. It returns the register that the CFA is
 * found from if nothing else leads to it, if the ABI does not say that functions keep it, and if
 * the function that `e` calls does, with all that it calls itself. Otherwise it returns
 * EFFECT_NO_REG.
 */
u8 call_changes_look(struct call_changes *c, u64 vaddr, const struct flow_state *s,
		     const struct stack_effect *e);

/* Returns whether the instruction at `vaddr`, which was looked at, calls what keeps a register. */
bool call_changes_keeps(const struct call_changes *c, u64 vaddr, u8 reg);

#endif
