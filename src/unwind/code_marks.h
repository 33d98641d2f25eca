/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps a mark for each byte of code: the number of the state before the instruction that begins
 * there (0: none does), the instruction's length, and flags. Changes can be taken back.
 */
#ifndef CPROF_UNWIND_CODE_MARKS_H
#define CPROF_UNWIND_CODE_MARKS_H

#include "base/budget.h"
#include "base/vec.h"

#define INSN_MAX 15 /* in bytes (Intel SDM volume 2, 2.3.11) */

#define MARK(state, length, flags) ((state) << 8 | (length) << 4 | (flags))
#define MARK_STATE(mark) ((mark) >> 8)
#define MARK_LENGTH(mark) ((mark) >> 4 & 15)
#define MARK_FLAGS(mark) ((mark)&15)
#define MARK_EXPECTED 1u /* a function begins here */
#define MARK_FOLLOWED 2u
#define MARK_KEPT 4u /* it does not depend on a guess */
#define MARK_LIKELY 8u /* a function seems to begin here */

struct code_range { /* [start, end) in vaddrs */
	u64 start, end;
};

enum code_start {
	CODE_START_SURE, /* something calls it, or says that it is a function */
	CODE_START_LIKELY, /* something seems to call it or to have its address */
	CODE_START_GUESS, /* it is only where a function might begin */
};

struct code_start_at {
	u64 vaddr;
	enum code_start how;
};

struct marked_range {
	struct code_range in;
	u32 **pages; /* allocated when they are needed */
};

struct mark_change {
	u32 *at, before;
};

struct code_marks {
	struct budget *budget;
	struct marked_range *ranges;
	size_t n, last; /* where the last address was */
	/* Functions that begin in a page are marked when it is first needed; see
	 * code_marks_starts(). */
	const struct code_start_at *starts;
	size_t nstarts;
	VEC(struct mark_change) changes;
};

/* The ranges are copied; they are sorted and do not overlap. Returns 0, -ENOMEM or -E2BIG. */
int code_marks_init(struct code_marks *m, struct budget *budget, const struct code_range *ranges,
		    size_t n) MUST_CHECK;
void code_marks_release(struct code_marks *m);
/* Says where functions begin, by address, before anything else is marked. They are borrowed. */
void code_marks_starts(struct code_marks *m, const struct code_start_at *starts, size_t n);
/* Marks one more. */
void code_marks_start(struct code_marks *m, u64 vaddr, enum code_start how);

/* Returns the range that contains `vaddr`, or NULL. */
const struct code_range *code_marks_range(struct code_marks *m, u64 vaddr);
/* Returns the mark, or NULL outside of the ranges and without memory. */
u32 *code_marks_take(struct code_marks *m, u64 vaddr);
/* Returns the mark's value, 0 if there is none. */
u32 code_marks_at(struct code_marks *m, u64 vaddr);
/* Changes a mark; false without memory. */
bool code_marks_set(struct code_marks *m, u32 *mark, u32 value);

/* Takes back all but the first `changes` changes. */
void code_marks_undo(struct code_marks *m, size_t changes);
/* Sets a flag in what all but the first `changes` changes are about. */
void code_marks_flag(struct code_marks *m, size_t changes, u32 flag);

/*
 * Returns whether an instruction would overlap another one. One that begins behind the prefixes of
 * another one overlaps as well.
 */
bool code_marks_overlap(struct code_marks *m, u64 vaddr, u32 length);
/* Returns the first address in [vaddr, end) that no instruction covers, or `end`. */
u64 code_marks_hole(struct code_marks *m, u64 vaddr, u64 end);
/* Returns the first address in [vaddr, end) where an instruction begins, or `end`. */
u64 code_marks_next(struct code_marks *m, u64 vaddr, u64 end);

#endif
