/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the stack walker of bpf/unwind.h in user space, over a copy of a thread's stack and the same
 * tables that are loaded into the kernel. It is used for samples taken without BPF, and for tests.
 */
#ifndef CPROF_UNWIND_WALK_H
#define CPROF_UNWIND_WALK_H

#include "base/bpf_shared.h"
#include "base/bytes.h"
#include "unwind/rows.h"

/* Provides what the walker needs from its caller. It is never written to, so threads may share
 * one. */
struct walk_env {
	/* Finds the module that is mapped executable at `pc`, and pc's offset in it (FRAME() of
	 * shared.h). */
	bool (*find_module)(void *arg, u64 pc, u32 *module, u64 *off);
	/*
	 * Whether find_module found nothing because a file is still being loaded, which becomes the
	 * reason why the stack ends. May be NULL if that does not occur.
	 */
	const bool *loading;
	/* Returns a module's tables, or NULL if nothing is known about its code. They stay valid
	 * during the walk. */
	const struct rows *(*rows)(void *arg, u32 module);
	/* Reads the target's memory outside of the copied stack; NULL if it cannot be read. */
	bool (*read)(void *arg, void *dst, u32 size, u64 addr);
	/* Returns whether `sp` is in the stack that the thread began with; NULL if not known. */
	bool (*own_stack)(void *arg, u64 sp);
	void *arg;
	const struct unwind_rule *rules; /* the rules that the modules' rows refer to */
	u32 nrules;
};

/*
 * The copied stack; `copy` was at `sp`. A walk that needs memory past its end stops with
 * STACK_COPY_TOO_SHORT. The kernel's copy also ends at a page that is not present, so a short copy
 * does not mean that the stack ends there.
 */
struct walk_copy {
	struct bytes copy;
	u64 sp;
	u64 unread; /* a bit for each PENDING_PIECE bytes that were not readable */
	u64 thread_pointer; /* 0 if unknown, as in samples of perf */
};

/* Returns the number under which the stack in `st` is known. A stack with JIT code has its own
 * number in each process. */
u64 walk_number(const struct stack_walk *st, struct global_pid tgid);

/* Empties `st`, so that kernel frames can be pushed and registers set. */
void walk_reset(struct stack_walk *st);
void walk_push(struct stack_walk *st, u64 frame);

/*
 * Walks from st->regs, appends to its frames and sets its end, as unwind_user() does in the kernel.
 * It is thread-safe. The callbacks in `env` must not start a walk.
 */
void walk_stack(struct stack_walk *st, const struct walk_env *env, const struct walk_copy *copy);

#endif
