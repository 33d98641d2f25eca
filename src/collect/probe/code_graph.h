/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instructions that one call of a function can execute outside the functions that it calls, and
 * how they follow each other: the function itself, the parts of it that the compiler placed
 * elsewhere, and functions that it jumps to at its end. They are found by decoding from the entry
 * on. The code may be hostile, so reads are bounded and charged to the file's budget, and what
 * cannot be followed is a separate node (CODE_UNKNOWN).
 */
#ifndef CPROF_COLLECT_CODE_GRAPH_H
#define CPROF_COLLECT_CODE_GRAPH_H

#include "arch/insn.h"
#include "base/hash.h"
#include "base/vec.h"
#include "collect/probe/probe_site.h"

#define CODE_NODES_MAX 4096

enum code_kind {
	CODE_PLAIN,
	CODE_BRANCH, /* to `target`, or on to `next` */
	CODE_JUMP, /* to `target` */
	CODE_CALL, /* and then to `next` */
	CODE_RETURN,
	/* control does not continue: a trap, or a call of a function that never returns */
	CODE_STOPS,
	CODE_STOPPER, /* a function to stop at, or one of C's allocation functions */
	/* a function of another file that returns its first argument, such as memset */
	CODE_FIRST_ARGUMENT,
	CODE_TABLE, /* an indirect jump inside a function, to any place in it */
	CODE_UNKNOWN,
};

struct code_node {
	u64 vaddr;
	struct code_node *next, *target; /* NULL if there is none */
	enum code_kind kind;
	u8 length;
	/* BRANCH: as in arch_insn */
	u8 condition;
	bool probeable; /* the kernel accepts a breakpoint here, at `cost` */
	enum probe_cost cost;
	bool calls_stopper; /* CALL */
	bool root; /* it may be reached through a TABLE */
	/* What it does to registers, as in arch_insn. */
	u32 written;
	s8 moved_from, moved_to;
	s8 cleared;
	bool stack_known; /* the stack pointer falls by stack_change bytes; otherwise unknown */
	s32 stack_change;
	bool switches_stack;
	bool enters_kernel;
	/* For the searches of return_site.c. */
	s32 depth;
	u8 depth_state, value;
	bool covered, delegated, open, expanded, pick_next, pick_target;
	UT_hash_handle hh; /* by vaddr, in the order in which they were found */
};

/* A file whose code is read; its contents serve every graph of the file. */
struct code_file;

struct code_request {
	/*
	 * Entries of functions, sorted and borrowed. A graph ends where it reaches one that is not
	 * its own entry.
	 */
	const u64 *stoppers;
	size_t nstoppers;
	bool imports; /* it also ends at malloc and similar functions of another file */
	u32 kernel; /* enum probe_kernel */
};

/* Returns 0, -ENOMEM, or -E2BIG if the file's budget ran out. */
int code_file_new(struct elf_file *f, const struct code_request *request,
		  struct code_file **out) MUST_CHECK;
void code_file_free(struct code_file *file); /* NULL is allowed */
struct elf_file *code_file_elf(const struct code_file *file);
/* Charges a search over that many nodes to the file's budget; false if it is used up. */
bool code_file_pay(struct code_file *file, u64 nodes) MUST_CHECK;

struct code_graph {
	struct code_node *nodes; /* a hash table by vaddr */
	struct code_node *entry;
	/* some nodes are CODE_UNKNOWN because of CODE_NODES_MAX or the file's budget */
	bool too_large;
};

/*
 * Builds the graph of the function at `vaddr`, which has `size` bytes by its symbol (0 if unknown).
 * Returns -ENOMEM, or -ENOENT if there is no code.
 */
int code_graph_build(struct code_file *file, u64 vaddr, u64 size,
		     struct code_graph *out) MUST_CHECK;
void code_graph_release(struct code_graph *g);

#endif
