/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds how a caller's frame is found in code that has no call frame information, from the code
 * itself. It decodes functions from their entries on, along all branches, and keeps a state
 * (flow_state.h) for each instruction. Where paths disagree, it keeps what they agree on.
 *
 * Some of what it follows is a guess: that something is a function at all, or that a call returns.
 * A guess is dropped with all that followed from it if it leads to a contradiction: code that
 * cannot be decoded, an instruction that begins inside another one, a return or a tail call with a
 * stack pointer that is not as on entry, or another depth of the stack than is already known.
 */
#ifndef CPROF_UNWIND_CODE_FLOW_H
#define CPROF_UNWIND_CODE_FLOW_H

#include "unwind/code_marks.h"
#include "unwind/file_image.h"
#include "unwind/flow_state.h"

struct code_flow;

/*
 * `ranges` are sorted and do not overlap; code outside of them is not looked at. The
 * image is borrowed, and BUDGET_CODE of `budget` is charged. Returns 0, -ENOMEM, or -E2BIG if the
 * budget does not allow it.
 */
int code_flow_new(struct file_image *image, struct budget *budget, const struct code_range *ranges,
		  size_t n, struct code_flow **out) MUST_CHECK;
void code_flow_free(struct code_flow *c); /* NULL is allowed */

/*
 * Says where functions begin: first all that are sure or likely, by code_flow_expect(), because a
 * call right before one does not return, and then one after the other. Those that calls in them
 * lead to are added. It is false if it was a guess that led to a contradiction. Without memory or
 * budget, nothing more is found.
 */
void code_flow_expect(struct code_flow *c, u64 vaddr, enum code_start how);
bool code_flow_follow(struct code_flow *c, u64 vaddr, enum code_start how);

/*
 * Says where all functions begin, by address, instead of code_flow_expect(), if code is followed
 * little by little: only the functions that are asked for, not those that they call. `starts` are
 * borrowed.
 */
void code_flow_starts(struct code_flow *c, const struct code_start_at *starts, size_t n);

/* Allows so many more instructions to be decoded from now on; at first there is no limit. */
void code_flow_allow(struct code_flow *c, u64 instructions);
/* Returns whether the limit, memory or the budget has ended it. */
bool code_flow_has_ended(const struct code_flow *c);

/* Returns the first address in [vaddr, end) that no known instruction covers, or `end`. */
u64 code_flow_hole(struct code_flow *c, u64 vaddr, u64 end);
/* Returns the state before the instruction at `vaddr`, or NULL if none was found there. */
const struct flow_state *code_flow_state(struct code_flow *c, u64 vaddr);

typedef int (*code_flow_row_fn)(void *arg, u64 vaddr, const struct unwind_rule *rule);

/*
 * Calls `row` for `start` and each address in [start, end) from which another rule applies, in
 * order: UNWIND_CFA_LATER where no instruction was followed, and UNWIND_CFA_NONE where nothing is
 * known of one. Returns 0 or what `row` returned.
 */
int code_flow_rows(struct code_flow *c, u64 start, u64 end, code_flow_row_fn row, void *arg);

struct code_flow_stats {
	u64 instructions; /* decoded */
	u64 functions; /* that were followed */
	u64 dropped; /* guesses */
	u64 tables, unknown_jumps; /* indirect jumps */
};

const struct code_flow_stats *code_flow_stats(const struct code_flow *c);

#endif
