/* SPDX-License-Identifier: Apache-2.0 */
/* Declares what the files of code_flow.h share: code_flow.c and code_flow_rows.c. */
#ifndef CPROF_UNWIND_CODE_FLOW_IMPL_H
#define CPROF_UNWIND_CODE_FLOW_IMPL_H

#include "unwind/call_changes.h"
#include "unwind/code_flow.h"
#include "unwind/code_marks.h"
#include "unwind/flow_states.h"
#include "unwind/u64_set.h"

struct pending { /* where control may continue */
	u64 vaddr;
	u32 state;
	bool by_table; /* An entry of a table leads there; otherwise the call before may return. */
	u8 entry_bytes;
	u32 entry; /* which one of the table at `table`, whose end is not known */
	u64 table;
};

struct attempt { /* says what there was before it */
	struct pending from;
	size_t changes, called, pending;
	bool confirmed; /* by itself or by what follows its calls */
	bool failed; /* something that follows a call did not make sense */
};

struct code_flow {
	struct file_image *image;
	struct budget *budget;
	u64 bias;
	struct code_marks marks;
	struct flow_states states;
	VEC(u64) work; /* addresses whose state is new or has changed */
	VEC(u64) called; /* functions that calls lead to */
	VEC(struct pending) pending;
	VEC(struct attempt) attempts; /* each begins where the one before it may continue */
	/* Many paths lead to the same call, so attempts that failed are not made again. */
	struct u64_set failures;
	struct call_changes calls;
	struct u64_set tables; /* by table_key() */
	bool alone; /* Functions that are called are not followed. */
	bool sure; /* that it is a function that is being followed */
	bool guessing; /* every disagreement is a contradiction */
	bool contradiction;
	bool confirmed; /* something agreed with what is known */
	bool ended; /* out of memory or budget */
	u64 allowed; /* instructions */
	struct code_flow_stats stats;
};

#endif
