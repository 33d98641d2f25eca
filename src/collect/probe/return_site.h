/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds where the result of a function is known, for functions that must not have a return probe.
 * Such a probe replaces the return address, so an exception that leaves the function meanwhile ends
 * in std::terminate(), and a switch of stacks in SIGILL (kernel/events/uprobes.c drops return
 * instances that are below the stack pointer). An ordinary breakpoint near the return disturbs
 * neither.
 *
 * The obvious place is the return instruction, but the kernel single-steps it, which costs twenty
 * times as much as an emulated instruction. So each path to a return is searched backwards for the
 * last emulated instruction at which the result is already in a register and stays unchanged: a
 * branch that is followed only by moves, a jump to the common end, or the last call if the result
 * waits in a register that calls preserve. For the rest, the place is the return instruction.
 */
#ifndef CPROF_COLLECT_RETURN_SITE_H
#define CPROF_COLLECT_RETURN_SITE_H

#include "base/vec.h"
#include "collect/probe/code_graph.h"

#define RETURN_REG_NONE 0xff

struct return_site {
	u64 vaddr, file_offset;
	/*
	 * The result's register, by DWARF number, if the branch jumps and if it does not; NONE if
	 * it is not known yet.
	 */
	u8 taken, passed;
	u8 condition; /* of the branch, as in code_node; if taken == passed it does not matter */
	u32 stack_bytes; /* how far the stack pointer is below that at the entry */
	enum probe_cost cost;
	char text[48]; /* the instruction, for -v */
};

enum return_answer {
	RETURN_SEEN, /* at `sites`, except on paths that return NULL or jump to a stopper */
	RETURN_UNSEEN, /* some return path cannot be seen; `why` and `where` say which */
};

struct return_sites {
	enum return_answer answer;
	VEC(struct return_site) sites;
	bool stepped; /* one of them is single-stepped */
	bool delegated; /* every return path leads through a function that the graph stops at */
	/*
	 * It calls nothing, jumps nowhere else, keeps its stack and makes no system call. So it can
	 * be left only by its returns, and only a signal handler can run meanwhile.
	 */
	bool closed;
	const char *why; /* for UNSEEN: "an indirect jump" */
	u64 where; /* vaddr */
};

struct return_request {
	u64 vaddr, size; /* of the function; size is 0 if unknown */
	/* vaddr of the entry's probe, which is not used for another one; 0 if there is none */
	u64 entry_site;
	/* the result is stored through a pointer, so it is known at the return only */
	bool in_memory;
};

/* Returns 0 or -ENOMEM. Release it in any case. */
int return_sites_find(struct code_file *file, const struct return_request *request,
		      struct return_sites *out) MUST_CHECK;
void return_sites_release(struct return_sites *sites);

#endif
