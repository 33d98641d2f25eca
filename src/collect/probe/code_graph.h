/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instructions that one call of a function can execute outside the functions that it calls, and
 * how they follow each other: the function itself, the parts of it that the compiler put elsewhere,
 * and functions that it jumps to at its end. Found by decoding from the entry on. Code may be
 * hostile: what is read is bounded and paid for from the file's budget, and what cannot be followed
 * is a node of its own (CODE_UNKNOWN).
 */
#ifndef CPROF_COLLECT_CODE_GRAPH_H
#define CPROF_COLLECT_CODE_GRAPH_H

#include "base/hash.h"
#include "base/vec.h"
#include "collect/probe/probe_insn.h"

#define CODE_NODES_MAX 4096

enum code_kind {
	CODE_PLAIN,
	CODE_BRANCH, /* to `target`, or on to `next` */
	CODE_JUMP, /* to `target` */
	CODE_CALL, /* and on to `next` */
	CODE_RETURN,
	CODE_STOPS, /* control does not go on: a trap, or a call of a function that never returns */
	CODE_STOPPER, /* a function to stop at, or one of C's allocation functions */
	CODE_FIRST_ARGUMENT, /* a function of another file that returns what rdi is: memset */
	CODE_TABLE, /* an indirect jump inside a function: anywhere in it */
	CODE_UNKNOWN,
};

#define CODE_NO_CONDITION 0xff

struct code_node {
	u64 vaddr;
	struct code_node *next, *target; /* NULL: none */
	enum code_kind kind;
	u8 length;
	u8 condition; /* BRANCH: the condition code of a jcc; CODE_NO_CONDITION: another branch */
	bool probeable; /* the kernel takes a breakpoint here, at `cost` */
	enum probe_cost cost;
	bool calls_stopper; /* CALL */
	bool root; /* reached through a TABLE, perhaps */
	/* What it does to registers, by hardware number. */
	u16 written;
	s8 moved_from, moved_to; /* a whole register is copied; -1: none */
	s8 cleared; /* register that becomes 0; -1: none */
	bool stack_known; /* rsp falls by stack_change bytes; unknown otherwise */
	s32 stack_change;
	bool switches_stack; /* rsp gets a value that comes from somewhere else */
	bool enters_kernel;
	/* For the searches of return_site.c. */
	s32 depth;
	u8 depth_state, value;
	bool covered, delegated, open, expanded, pick_next, pick_target;
	UT_hash_handle hh; /* by vaddr; in the order in which they were found */
};

/* A file whose code is read; what it holds serves every graph of the file. */
struct code_file;

struct code_request {
	/*
	 * Entries of functions, sorted, borrowed: a graph ends where it comes to one that is not
	 * its own entry.
	 */
	const u64 *stoppers;
	size_t nstoppers;
	bool imports; /* it also ends at malloc and the like of another file */
	u32 kernel; /* enum probe_kernel */
};

/* 0, -ENOMEM, or -E2BIG when the file's budget ended. */
int code_file_new(struct elf_file *f, const struct code_request *request,
		  struct code_file **out) MUST_CHECK;
void code_file_free(struct code_file *file); /* NULL is fine */
struct elf_file *code_file_elf(const struct code_file *file);
/* Pays for a search over so many nodes from the file's budget; false: it is used up. */
bool code_file_pay(struct code_file *file, u64 nodes) MUST_CHECK;

struct code_graph {
	struct code_node *nodes; /* a hash, by vaddr */
	struct code_node *entry;
	bool too_large; /* for CODE_NODES_MAX or the file's budget: some nodes are CODE_UNKNOWN */
};

/*
 * The graph of the function at `vaddr`, of `size` bytes by its symbol (0: unknown). -ENOMEM,
 * -ENOENT: no code.
 */
int code_graph_build(struct code_file *file, u64 vaddr, u64 size,
		     struct code_graph *out) MUST_CHECK;
void code_graph_release(struct code_graph *g);

#endif
