/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the kernel's stack walker at every instruction of awkward programs: see stepper.h. */
#include <stdio.h>

#include "stepper.h"
#include "unit.h"

static void run(const char *program, const char *situation, const struct step_plan *plan,
		struct step_report *r)
{
	char *const argv[] = {(char *)program, (char *)situation, NULL};

	step_through(argv, plan, r);
	printf("# %s %s: %llu stacks, %llu wrong at %llu places, %u frames deep\n", program,
	       situation ? situation : "", (unsigned long long)r->steps,
	       (unsigned long long)r->wrong, (unsigned long long)r->wrong_places, r->deepest);
	if (r->wrong)
		printf("# %s\n", r->first);
}

/* Steps through a situation between its marks; at most `allowed` different instructions may be
 * wrong. */
static void check_steps(const char *program, const char *situation, u64 at_least, u64 allowed)
{
	const struct step_plan plan = {.from = STEP_FROM_MARK};
	struct step_report r;

	run(program, situation, &plan, &r);
	CHECK(r.steps >= at_least);
	CHECK(r.wrong_places <= allowed);
}

static void check_start(const char *program, enum step_from from, const char *situation,
			u64 max_steps)
{
	const struct step_plan plan = {.from = from, .max_steps = max_steps};
	struct step_report r;

	run(program, situation, &plan, &r);
	CHECK_INT(r.wrong, 0);
}

TEST(replay, calls)
{
	check_steps("steps", "calls", 300, 0);
}

TEST(replay, calls_clang)
{
	check_steps("steps-clang", "calls", 300, 0);
}

TEST(replay, calls_unoptimized)
{
	check_steps("steps-O0", "calls", 300, 0);
}

TEST(replay, calls_static)
{
	check_steps("steps-static", "calls", 300, 0);
}

TEST(replay, signal_handler)
{
	check_steps("steps", "signal", 100, 0);
}

TEST(replay, signal_handler_static)
{
	check_steps("steps-static", "signal", 100, 0);
}

TEST(replay, signal_on_alternate_stack)
{
	check_steps("steps", "altstack", 100, 0);
}

/* gcc's rows say that rbp is still to be restored for two epilogue instructions after "pop
 * %rbp". */
TEST(replay, realigned_variable_and_large_frames)
{
	check_steps("steps", "frames", 100, 2);
}

TEST(replay, realigned_variable_and_large_frames_clang)
{
	check_steps("steps-clang", "frames", 100, 0);
}

TEST(replay, libc)
{
	check_steps("steps", "libc", 3000, 0);
}

/* ld.so's resolver computes its CFA from rbx. */
TEST(replay, lazily_bound_plt)
{
	const struct step_plan plan = {.from = STEP_FROM_MARK, .lazy = true};
	struct step_report r;

	run("steps", "vdso", &plan, &r);
	CHECK(r.steps > 1000);
	CHECK_INT(r.wrong, 0);
}

TEST(replay, libc_static)
{
	check_steps("steps-static", "libc", 3000, 0);
}

TEST(replay, vdso)
{
	check_steps("steps", "vdso", 100, 0);
}

/* __longjmp's FDE describes the state that it jumps to, with mangled registers. */
TEST(replay, longjmp)
{
	check_steps("steps", "longjmp", 50, 9);
}

/* For six instructions the return address is in rdi, which the rows know and the stepper does
 * not. */
TEST(replay, vfork)
{
	check_steps("steps", "vfork", 10, 6);
}

TEST(replay, thread_creation)
{
	check_steps("steps", "thread", 300, 0);
}

/*
 * When the unwinder goes to the landing pad, it writes the registers for it into its own frame, so
 * for some instructions the stack is in neither state.
 */
static void check_throw(const char *program, u64 max_steps)
{
	const struct step_plan plan = {.from = STEP_FROM_MARK, .every = 7, .max_steps = max_steps};
	struct step_report r;

	run(program, NULL, &plan, &r);
	CHECK(r.steps > 1000);
	CHECK(r.wrong * 100 < r.steps);
}

TEST(replay, exception)
{
	check_throw("steps-throw", 0);
}

TEST(replay, exception_static)
{
	check_throw("steps-throw-static", 5000); /* it first sorts all FDEs, which takes seconds */
}

TEST(replay, start_of_static_program)
{
	check_start("steps-static", STEP_FROM_EXEC, "calls", 3000);
}

TEST(replay, start_of_dynamic_program)
{
	check_start("steps", STEP_FROM_EXEC, "calls", 3000);
}

TEST(replay, start_of_thread)
{
	check_start("steps", STEP_FROM_CLONE, "thread", 100);
}

static void check_recursion(const char *depth, u32 want_frames, u32 want_end)
{
	char *const argv[] = {"steps", "recurse", (char *)depth, NULL};
	static struct stack_walk walk;

	step_snapshot(argv, &walk);
	CHECK_INT(walk.end, want_end);
	CHECK(walk.nframes >= want_frames);
	/* The leaf side is kept, and the frames of the recursive call are all the same. */
	for (u32 i = 2; i < want_frames - 2; i++)
		CHECK_INT(walk.frames[i], walk.frames[1]);
}

TEST(replay, recursion_600_deep)
{
	check_recursion("600", 601, STACK_WHOLE);
}

TEST(replay, recursion_5000_deep_keeps_the_leaf_side)
{
	check_recursion("5000", STACK_MAX_USER, STACK_TOO_DEEP);
}
