/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a program instruction by instruction (ptrace) and unwinds its stack after each with the
 * walker that runs in the kernel. What the stack should be is known without any unwind table,
 * because a call pushes a return address, which is there until the stack pointer has passed it.
 */
#ifndef CPROF_TESTS_STEPPER_H
#define CPROF_TESTS_STEPPER_H

#include <sys/types.h>

#include "base/bpf_shared.h"

struct step_report {
	u64 steps; /* instructions after which the stacks were compared */
	u64 wrong; /* how often they differed */
	u64 wrong_places; /* how many different instructions these were */
	u32 deepest; /* in frames */
	char first[2000]; /* about the first difference: actual and expected stack */
};

enum step_from {
	STEP_FROM_MARK, /* from the first int3 to the second; the stack found there is its base */
	STEP_FROM_EXEC, /* from the program's first instruction */
	STEP_FROM_CLONE, /* between the marks, the first instructions of a new thread */
};

struct step_plan {
	enum step_from from;
	u64 max_steps; /* stops after so many; 0 stops at the second mark */
	u32 every; /* compares after every so many instructions; 0 after each */
	bool lazy; /* symbols are bound at their first call, because LD_BIND_NOW is not set */
};

/* `argv[0]` is the name of a program in $TARGETS. The case fails or is skipped if it cannot be
 * run. */
void step_through(char *const argv[], const struct step_plan *plan, struct step_report *out);

/* Walks once, at the first int3. */
void step_snapshot(char *const argv[], struct stack_walk *out);

#endif
