/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the result of a function is known, for functions that must not have a return probe. Such a
 * probe replaces the return address, so an exception that leaves the function meanwhile ends in
 * std::terminate(), and a switch of stacks in SIGILL (kernel/events/uprobes.c drops return
 * instances that lie below the stack pointer). An ordinary breakpoint near the return disturbs
 * neither.
 *
 * The obvious place is the `ret`, but the kernel single-steps it, which costs twenty times what an
 * emulated instruction does. So each way to a return is searched backwards for the last emulated
 * instruction at which the result is already in a register and stays what it is: a jcc behind which
 * nothing but moves is left, a jump to the common end, the last call when the result waits in rbx.
 * The rest is seen at the `ret`.
 */
#ifndef CPROF_COLLECT_RETURN_SITE_H
#define CPROF_COLLECT_RETURN_SITE_H

#include "base/vec.h"
#include "collect/probe/code_graph.h"

#define RETURN_REG_NONE 0xff

struct return_site {
	u64 vaddr, file_offset;
	/*
	 * The result's register, by DWARF number, where the jcc jumps and where it does not; NONE:
	 * not yet.
	 */
	u8 taken, passed;
	u8 condition; /* of the jcc, as code_node has it; with taken == passed it does not matter */
	u32 stack_bytes; /* rsp is this far below rsp at the entry, where the return address is */
	enum probe_cost cost;
	char text[48]; /* the instruction, for -v */
};

enum return_answer {
	RETURN_SEEN, /* at `sites`, but for ways that return NULL or jump to a stopper */
	RETURN_UNSEEN, /* some way back cannot be seen; `why` and `where` say which */
};

struct return_sites {
	enum return_answer answer;
	VEC(struct return_site) sites;
	bool stepped; /* one of them is single-stepped */
	bool delegated; /* every way back leads through a function that the graph stops at */
	/*
	 * It calls nothing, jumps nowhere else, keeps its stack and makes no system call: it can be
	 * left by its returns only, and while it runs nothing but a signal handler can.
	 */
	bool closed;
	const char *why; /* of UNSEEN: "an indirect jump" */
	u64 where; /* vaddr */
};

struct return_request {
	u64 vaddr, size; /* of the function; size 0: unknown */
	u64 entry_site; /* vaddr of the entry's probe, which is not used for another; 0: none */
	bool in_memory; /* what matters is stored through a pointer: known at the `ret` only */
};

/* 0, or -ENOMEM. Release in any case. */
int return_sites_find(struct code_file *file, const struct return_request *request,
		      struct return_sites *out) MUST_CHECK;
void return_sites_release(struct return_sites *sites);

#endif
