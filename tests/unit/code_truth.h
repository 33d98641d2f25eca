/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compares what the code of functions says about their stack (unwind/code_flow.h) with what their
 * call frame information says, instruction by instruction.
 */
#ifndef CPROF_TESTS_CODE_TRUTH_H
#define CPROF_TESTS_CODE_TRUTH_H

#include "base/types.h"

struct code_truth {
	u64 functions;
	/*
	 * These are not compared. Their call frame information does not fit their code: it says the
	 * same before and after an instruction that moves the stack pointer, or it describes where
	 * longjmp() goes. Or they are parts of other functions.
	 */
	u64 contradicting, parts;
	u64 equal, given_up, wrong; /* instructions */
	u64 wrong_fp; /* those where the caller's frame pointer is elsewhere */
	u64 decoded; /* if code was met */
	u64 wrong_at; /* the address of one of them */
};

enum code_knowledge {
	CODE_KNOWS_FUNCTIONS, /* each function by itself, from its entry on */
	CODE_KNOWS_SYMBOLS, /* the whole file, with what .dynsym and .symtab say */
	CODE_IS_MET, /* the same, each function when an address in its middle is met */
};

/* Skips the case if there is no such file. */
struct code_truth code_truth_compare(const char *path, enum code_knowledge how);

#endif
