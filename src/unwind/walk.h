/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stack walker of bpf/unwind.h in user space: over a copy of a thread's stack and the very tables
 * that are loaded into the kernel. For samples taken without BPF, and for tests.
 */
#ifndef CPROF_UNWIND_WALK_H
#define CPROF_UNWIND_WALK_H

#include "base/bpf_shared.h"
#include "base/bytes.h"
#include "unwind/rows.h"

/* What the walker asks its caller. Nothing here is written to, so threads may share one. */
struct walk_env {
	/* Which module is mapped executable at `pc`, and pc's offset in it (FRAME() of shared.h). */
	bool (*find_module)(void *arg, u64 pc, u32 *module, u64 *off);
	/*
	 * Whether find_module found nothing because a file is being loaded, which is what the stack's end says
	 * then. May be NULL: that does not occur.
	 */
	const bool *loading;
	/* A module's tables; NULL: nothing is known about its code. They stay while the walk lasts. */
	const struct rows *(*rows)(void *arg, u32 module);
	/* Target memory outside of the copied stack; may be NULL: there is none. */
	bool (*read)(void *arg, void *dst, u32 size, u64 addr);
	void *arg;
	const struct unwind_rule *rules; /* what the modules' rows refer to */
	u32 nrules;
};

/*
 * The stack as it was copied: `copy` lay at `sp`. A walk that needs what lies behind ends with
 * STACK_COPY_TOO_SHORT: the kernel's copy also ends at a page that is not present, so that a short one
 * says nothing about the stack's end.
 */
struct walk_copy {
	struct bytes copy;
	u64 sp;
	u64 thread_pointer; /* fs base; 0: unknown, as in samples of perf */
};

/* Empties `st`, to push kernel frames and set registers. */
void walk_reset(struct stack_walk *st);
void walk_push(struct stack_walk *st, u64 frame);

/*
 * Walks from the registers in `st` (pc, sp, bp, regs, regs_known, exact), appends to its frames and sets
 * its end, as unwind_user() does in the kernel. Thread-safe. `env` may not walk itself.
 */
void walk_stack(struct stack_walk *st, const struct walk_env *env, const struct walk_copy *copy);

#endif
