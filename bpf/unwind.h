/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The stack walker: it turns registers into frames, with the rows that shared.h describes.
 *
 * It is compiled twice: into every BPF program that needs a stack, and into user space (for perf
 * mode and for the replay tests), so that the tested code is what runs in the kernel. The includer
 * provides eleven functions before including it:
 *
 *   void env_repeat(u32 n, long (*step)(u32 i, void *arg), void *arg)
 *                                                           calls it n times, or until it returns 1
 *   bool env_read_user(void *dst, u32 size, u64 addr)       the target's memory; false if
 *   unreadable
 *   bool env_find_module(struct stack_walk *st, u64 pc, u32 *module, u64 *off)
 *                                                           which mapping contains pc; false for
 *                                                           none
 *   int env_find_unnamed(struct stack_walk *st)             the same for st->regs, where
 *                                                           env_find_module() set st->unnamed; 0,
 *                                                           or 1 with st->end
 *   const struct unwind_page *env_table_page(u32 page)      a page of the table pool; NULL if none
 *   const struct unwind_rule *env_rule(u32 number)
 *   const struct module_table *env_module_table(u32 module)
 *   struct rule_memo *env_memo(u64 frame)                   a slot of a cache for this frame, or
 *   NULL
 *   u64 env_thread_pointer(void)                            where thread-local storage is; 0 if
 *                                                           unknown
 *   bool env_on_own_stack(struct stack_walk *st)            st->regs.sp is in the stack that the
 *                                                           thread began with; false if unknown
 *   u64 env_hidden_return(u64 slot, bool left)              the return address that a return probe
 *                                                           replaced in this slot, or 0 if unknown;
 *                                                           `left`: the kernel may have removed its
 *                                                           entry already
 *
 * For the verifier each step is a separate function that is checked once (a global function), and
 * every index is masked where it is used.
 */
#ifndef CPROF_BPF_UNWIND_H
#define CPROF_BPF_UNWIND_H

#include "unwind_base.h"
#include "unwind_rules.h"
#include "arch/walk.h"

/* Computes the canonical frame address by `rule`; 0 with st->end set if that is impossible. */
static __always_inline u64 frame_address(struct stack_walk *st, const struct unwind_rule *rule)
{
	u64 base = 0;

	switch (rule->cfa) {
	case UNWIND_CFA_SP:
		return st->regs.sp + (s64)rule->cfa_off;
	case UNWIND_CFA_FP:
		return st->regs.fp + (s64)rule->cfa_off;
	case UNWIND_CFA_REG:
		if (rule->cfa_reg == ARCH_DWARF_CALLEE && st->regs.callee_known)
			return st->regs.callee + (s64)rule->cfa_off;
		if (!st->regs.known && rule->cfa_add != UNWIND_REG_KEPT) {
			st->end = STACK_REGISTER_LOST;
			return 0;
		}
		return st->regs.by_dwarf[rule->cfa_reg & (ARCH_USER_REGS - 1)] + (s64)rule->cfa_off;
	case UNWIND_CFA_SP_DEREF:
	case UNWIND_CFA_FP_DEREF:
		base = rule->cfa == UNWIND_CFA_SP_DEREF ? st->regs.sp : st->regs.fp;
		if (!read_words(st, &base, 1, base + (s64)rule->cfa_off)) {
			st->end = STACK_UNREADABLE;
			return 0;
		}
		return base + (s64)rule->cfa_add;
	case UNWIND_CFA_PLT:
		return arch_plt_frame(st, rule);
	default:
		st->end = STACK_NO_ROW;
		return 0;
	}
}

/*
 * Loads a callee-saved register. Compilers leave out the row that says that an epilogue has popped
 * it. Then its slot is below sp and still holds the value, which is also in the register. A copied
 * stack does not reach down there.
 */
static __always_inline bool load_register(struct stack_walk *st, u64 *value, u64 slot)
{
	return read_words(st, value, 1, slot) || (slot < st->regs.sp && st->regs.known);
}

static __always_inline bool load_callee(struct stack_walk *st, const struct unwind_rule *rule,
					u64 cfa)
{
	if (rule->callee_off == UNWIND_CALLEE_SAME)
		return true;
	if (rule->callee_off == UNWIND_CALLEE_LOST) {
		st->regs.callee_known = 0;
		return true;
	}
	st->regs.callee_known = 1;
	return load_register(st, &st->regs.callee, cfa + (s64)rule->callee_off);
}

/* Loads the return address and the caller's frame pointer, in one read if they are adjacent, as
 * they mostly are. */
static __always_inline bool load_caller(struct stack_walk *st, const struct unwind_rule *rule,
					u64 cfa, u64 *ra)
{
	u64 pair[2], at;

	if (rule->ra == UNWIND_RA_REG) {
		*ra = st->regs.by_dwarf[(u16)rule->ra_off & (ARCH_USER_REGS - 1)];
	} else if (rule->fp == UNWIND_FP_CFA && rule->fp_off == -16 && rule->ra_off == -8 &&
		   read_words(st, pair, 2, cfa - 16)) {
		st->regs.fp = pair[0];
		*ra = pair[1];
		return true;
	} else if (!read_words(st, ra, 1, cfa + (s64)rule->ra_off)) {
		return false;
	}
	if (rule->fp != UNWIND_FP_CFA && rule->fp != UNWIND_FP_FP)
		return true;
	at = (rule->fp == UNWIND_FP_CFA ? cfa : st->regs.fp) + (s64)rule->fp_off;
	return load_register(st, &st->regs.fp, at);
}

/*
 * Handles a caller whose stack lies below: the callee's CFA came from a register or from memory, so
 * that a runtime may have switched stacks there. Wrong rows lead down as well. So the address must
 * follow a call, and a walk does this a few times only, because two frames could lead to each
 * other.
 */
#define STACK_SWITCHES 8

static __always_inline int switch_stack(struct stack_walk *st, u64 ra, u64 sp)
{
	if (st->switches >= STACK_SWITCHES || !arch_follows_call(ra))
		return end_stack(st, STACK_NO_PROGRESS);
	st->switches++;
	return resume_caller(st, ra, sp);
}

static __always_inline bool may_switch_stack(const struct unwind_rule *rule)
{
	return rule->cfa != UNWIND_CFA_SP && rule->cfa != UNWIND_CFA_PLT;
}

static __always_inline int step_rule(struct stack_walk *st, const struct unwind_rule *rule)
{
	u64 cfa, ra = 0;

	switch (rule->cfa) {
	case UNWIND_CFA_STOP:
		return end_stack(st, STACK_WHOLE);
	case UNWIND_CFA_SIGNAL:
		return arch_step_signal(st);
	case UNWIND_CFA_CHAIN:
		return step_frame_pointer(st);
	case UNWIND_CFA_GO:
		return arch_step_go(st, rule);
	default:
		break;
	}
	if (rule->ra == UNWIND_RA_REG && !st->regs.known)
		return end_stack(st, STACK_REGISTER_LOST);
	cfa = frame_address(st, rule);
	if (!cfa)
		return st->end == STACK_TOO_DEEP ? end_stack(st, STACK_NO_PROGRESS) : 1;
	if (!load_callee(st, rule, cfa) || !load_caller(st, rule, cfa, &ra))
		return end_stack(st, STACK_UNREADABLE);
	if (ra && cfa < st->regs.sp && may_switch_stack(rule))
		return switch_stack(st, ra, cfa);
	return enter_caller(st, ra, cfa);
}

/*
 * Handles code that no row covers: hand-written assembly, the start and end code of the C runtime
 * (crtstuff.c has none), and JIT code that a runtime keeps in a file (memfd). There are two
 * guesses, each used only if it leads to just after a call: a leaf that has pushed nothing, and a
 * frame pointer.
 */
static __always_inline int step_uncovered(struct stack_walk *st, enum stack_end otherwise)
{
	u64 pair[2], ra, sp;

	if (st->regs.known && arch_leaf_caller(st, &ra, &sp) && arch_follows_call(ra))
		return enter_caller(st, ra, sp);
	if (st->regs.fp < st->regs.sp || (st->regs.fp & 7) ||
	    !read_words(st, pair, 2, st->regs.fp) || !arch_follows_call(pair[1]))
		return end_stack(st, otherwise);
	st->regs.callee_known = 0;
	return step_frame_pointer(st);
}

#define STEP_UNNAMED 2 /* what unwind_step() returns where st->unnamed is set */

/*
 * Handles code without a file, which a runtime has generated. Mostly it keeps a frame pointer. The
 * trampolines of CPython's -X perf do not: they keep the stack aligned by one word, and call. So
 * that is tried where the frame pointer does not lead to just after a call.
 */
static __always_inline int step_generated(struct stack_walk *st)
{
	u64 pair[2], ra, fp = st->regs.fp, sp = st->regs.sp;

	if (fp >= sp && !(fp & 7) && read_words(st, pair, 2, fp) && arch_follows_call(pair[1]))
		return step_frame_pointer(st);
	if (!st->regs.exact && read_words(st, &ra, 1, sp + sizeof(u64)) && arch_follows_call(ra))
		return enter_caller(st, ra, sp + 2 * sizeof(u64));
	st->scan = 1;
	return 0;
}

/*
 * Returns whether what was called just before `ra` is an interpreter in assembly, such as LuaJIT's.
 * It has one frame for all of its code, so its row says so from its first instruction on, where
 * other functions have none yet.
 */
static __always_inline bool follows_interpreter(struct stack_walk *st, u64 ra,
						struct unwind_rule *rule)
{
	u64 off = 0, target = arch_call_target(ra);
	u32 module = MODULE_NONE, missing = st->missing_module;
	bool found = target && env_find_module(st, target, &module, &off);

	st->missing_module = missing;
	return found && module >= MODULE_FIRST_FILE && rule_of(st, FRAME(module, off), rule) &&
	       rule->cfa == UNWIND_CFA_SP && rule->cfa_off > ARCH_CALL_FRAME;
}

#define SCAN_WORDS 64u /* traces have up to 256 slots, but mostly a few */

/*
 * Code that LuaJIT compiles runs in the frame of its interpreter, which it extends by as much as it
 * needs. So the return address is the first one above that belongs to a call of the interpreter.
 * This looks at one word after the other, a step each, so that the verifier checks it once.
 */
__attribute__((noinline)) int step_interpreter(struct stack_walk *st)
{
	struct unwind_rule rule;
	u64 ra = 0, slot;

	if (!st)
		return 1;
	slot = st->regs.sp + (u64)(st->scan - 1) * sizeof(u64);
	if (st->scan++ > SCAN_WORDS || !read_words(st, &ra, 1, slot)) {
		st->scan = 0;
		return step_frame_pointer(st);
	}
	if (!user_address(ra) || !follows_interpreter(st, ra, &rule))
		return 0;
	st->scan = 0;
	slot += sizeof(u64);
	if (!load_callee(st, &rule, slot) || !load_caller(st, &rule, slot, &ra))
		return end_stack(st, STACK_UNREADABLE);
	return enter_caller(st, ra, slot);
}

static __always_inline enum stack_end why_uncovered(u32 module)
{
	const struct module_table *mt = env_module_table(module);

	if (module == MODULE_OUTSIDE)
		return STACK_OUTSIDE;
	if (module == MODULE_UNNUMBERED)
		return STACK_TABLES_FULL;
	if (mt && mt->missing)
		return mt->missing == TABLE_POOL_FULL ? STACK_TABLES_FULL : STACK_UNREAD;
	return mt && mt->has_table ? STACK_NO_ROW : STACK_NO_TABLE;
}

/*
 * Records the frame that st is in and moves to its caller. It returns 0 to continue, 1 if the walk
 * has ended (st->end), or STEP_UNNAMED. It is global for the verifier, which then checks it once
 * and not once per frame.
 */
__attribute__((noinline)) int unwind_step(struct stack_walk *st)
{
	struct unwind_rule rule;
	u32 module = MODULE_NONE;
	u64 off = 0, at, frame;

	if (!st)
		return 1;
	if (arch_is_trampoline(st) && !arch_leave_trampoline(st))
		return end_stack(st, STACK_HIDDEN);
	if (!user_address(st->regs.pc))
		return end_stack(st, STACK_NOT_MAPPED);
	/* A return address may be the first byte of the next function, so the look-up uses an
	 * address inside the call. */
	at = st->regs.exact ? st->regs.pc : st->regs.pc - 1;
	if (!env_find_module(st, at, &module, &off)) {
		if (st->unnamed)
			return STEP_UNNAMED;
		return end_stack(st, st->missing_module ? STACK_LOADING : STACK_NOT_MAPPED);
	}
	frame = FRAME(module, off);
	if (module == MODULE_ANON) {
		push_frame(st, frame);
		st->has_anon = 1;
		return step_generated(st);
	}
	if (!rule_of(st, frame, &rule))
		rule = (struct unwind_rule){.cfa = UNWIND_CFA_NONE};
	if (rule.cfa == UNWIND_CFA_LATER) /* User space continues once the code was followed. */
		return end_stack(st, STACK_LOADING);
	push_frame(st, frame);
	if (rule.cfa == UNWIND_CFA_NONE)
		return step_uncovered(st, why_uncovered(module));
	return step_rule(st, &rule);
}

static __always_inline void unwind_begin(struct stack_walk *st)
{
	st->end = STACK_TOO_DEEP;
	st->window_at = ~0ull;
	st->go_system_sp = 0;
	st->switches = 0;
	st->scan = 0;
}

/* Does what comes next in the walk. It returns 0 to continue, or 1 if the walk has ended. */
static __always_inline int unwind_next(struct stack_walk *st)
{
	int step;

	if (st->scan)
		return step_interpreter(st);
	step = unwind_step(st);
	return step == STEP_UNNAMED ? env_find_unnamed(st) : step;
}

struct walk_part {
	struct stack_walk *st;
	u64 above; /* the walk ends in a frame whose stack pointer is above this */
};

#define FRAMES_PER_CALL 16u

/* A call for each frame would add 6 ns to it. */
static long walk_some_frames(u32 i, void *arg)
{
	const struct walk_part *w = arg;

	(void)i;
	for (u32 k = 0; k < FRAMES_PER_CALL; k++) {
		if (unwind_next(w->st) || w->st->regs.sp > w->above)
			return 1;
	}
	return 0;
}

static __always_inline void walk_frames(struct stack_walk *st, u64 above)
{
	struct walk_part w = {.st = st, .above = above};

	env_repeat(STACK_MAX_USER / FRAMES_PER_CALL, walk_some_frames, &w);
}

/*
 * A return address of 0, or a frame pointer of 0 where only that leads on, is the bottom of a stack
 * that a program has made itself: Ruby's fibers and libtask begin so. The stack that a thread began
 * with has start-up code at its bottom, of which the walk knows that it has no caller. So a 0 there
 * was read from a wrong place, and what called the frame is not known.
 */
static __always_inline void end_at_zero(struct stack_walk *st)
{
	if (st->end == STACK_NO_CALLER && !env_on_own_stack(st))
		st->end = STACK_WHOLE;
}

/* Walks the user stack from the registers in st, appends to st->frames and sets st->end. */
static __always_inline void unwind_user(struct stack_walk *st)
{
	unwind_begin(st);
	walk_frames(st, ~0ull);
	end_at_zero(st);
	if (st->end != STACK_WHOLE)
		push_frame(st, FRAME(MODULE_CUT, st->end));
}

#endif
