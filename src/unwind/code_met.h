/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows the code of a file that no call frame information covers, when stacks have met it. All of
 * it is followed at once if that takes little time, or if the file has hardly any call frame
 * information, as the C library musl. Otherwise only functions are followed that stacks are in,
 * because all of it would take 0.4 s for a library with assembly for each processor, of which a
 * machine runs a tenth.
 *
 * A function is followed with those shortly before it, because one of them may be the one that it
 * is a part of. So what is found is mostly what code_rows.h finds in the whole file.
 */
#ifndef CPROF_UNWIND_CODE_MET_H
#define CPROF_UNWIND_CODE_MET_H

#include "base/bpf_shared.h"
#include "base/vec.h"
#include "elf/elf_file.h"
#include "unwind/code_flow.h"

struct code_met;

/*
 * Takes `f` over, also if it fails. `debug` (may be NULL) is its separate debug file, whose symbols
 * are used; it is not needed afterwards. Returns 0, -ENOMEM or -E2BIG.
 */
int code_met_new(struct elf_file *f, struct elf_file *debug, struct code_met **out) MUST_CHECK;
/* Does the same for given ranges, which are sorted, and always function by function. */
int code_met_new_in(struct elf_file *f, struct elf_file *debug, const struct code_range *ranges,
		    size_t n, struct code_met **out) MUST_CHECK;
/* Returns what is known, borrowed; NULL once all was followed. */
struct code_flow *code_met_flow(struct code_met *c);
void code_met_free(struct code_met *c); /* NULL is allowed */

struct code_row {
	u64 off; /* in the file */
	struct unwind_rule rule;
};

/* Describes [start, end) of the file, by rows of which the first is at `start`. Where the code was
 * not followed yet, they have UNWIND_CFA_LATER. */
struct code_part {
	u64 start, end;
	VEC(struct code_row) rows;
};

/*
 * Follows the code around a file offset. The part contains `off`, for which the rule is final. Call
 * vec_release() for its rows. Returns 0 or -ENOMEM.
 */
int code_met_follow(struct code_met *c, u64 off, struct code_part *out) MUST_CHECK;

u64 code_met_followed(const struct code_met *c); /* instructions */
/* Returns the file's budget. If code was left out because of the limits, it says so. */
struct budget *code_met_budget(struct code_met *c);
/* Frees what was read of the file, until the next call. */
void code_met_trim(struct code_met *c);

#endif
