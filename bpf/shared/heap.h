/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What cprof heap and cprof allocs share with their programs. */
#ifndef CPROF_BPF_SHARED_HEAP_H
#define CPROF_BPF_SHARED_HEAP_H

#include "records.h"

enum heap_cause { /* sample_key.cause */
		  HEAP_NONE,
		  HEAP_DRAWN, /* drawn by bpf/heap.bpf.c: user space knows what a sample stands for */
		  HEAP_WEIGHED, /* by the target's own sampler, which said so: count.weight */
		  HEAP_MERGED, /* blocks of several sizes, by user space (heap_amount_merge) */
};

enum alloc_fn {
	ALLOC_FN_ALLOC = 1, /* size in args[0]; * args[1] with ALLOC_FN_PRODUCT */
	ALLOC_FN_FREE, /* the block in args[0] */
	ALLOC_FN_REALLOC, /* size in args[0], the old block in args[2] */
	ALLOC_FN_USDT_ALLOC, /* block, size, weighed bytes */
	ALLOC_FN_USDT_FREE,
	ALLOC_FN_RESULT, /* the result of a ALLOC_FN_RESULTS is known here */
};

#define ALLOC_FN_PRODUCT 1u /* the size is args[0] * args[1] */
#define ALLOC_FN_STORED \
	2u /* the block comes back through the pointer in args[2], and 0 is success */
#define ALLOC_FN_PAGES 4u /* the size is rounded up to whole pages */
#define ALLOC_FN_JUMPS 8u /* it may end in a jump to another function */
/* It may be left by an exception or a switch of stacks, so it has no return probe. */
#define ALLOC_FN_RESULTS 16u /* its returns are seen by ALLOC_FN_RESULT */
#define ALLOC_FN_UNSEEN 32u /* they are not seen */

enum heap_arg_kind { HEAP_ARG_NONE, HEAP_ARG_REG, HEAP_ARG_MEM, HEAP_ARG_CONST };

/* Registers are named by their place in struct pt_regs, in words: ARCH_WORD_* (arch/regs.h). */
/* Where an argument is when the probe is hit. */
struct heap_arg {
	u8 kind; /* enum heap_arg_kind */
	u8 size; /* bytes */
	u8 is_signed;
	u8 reg; /* ARCH_WORD_*; of REG; the base of MEM */
	u8 index, scale; /* of MEM */
	u8 shift; /* of REG, bits */
	u8 pad;
	s64 value; /* of CONST; the displacement of MEM */
};

/* A place with a probe; its number is the probe's cookie. */
struct heap_site {
	u32 number;
	u16 function; /* enum alloc_fn */
	u16 flags; /* ALLOC_FN_* */
	/* Of a RESULT: the result where its jcc jumps, and where it does not; NONE: not known there. */
	struct heap_arg args[3];
	u32 condition; /* RESULT: of the jcc, its condition code; with equal args any */
	u32 stack_bytes; /* of allocations and RESULT: the stack pointer is this far below where it was at the entry */
	u32 cost_ns; /* RESULT: of one hit, an estimate */
	u32 pad;
};

#define HEAP_MAX_SITES 1024u
#define HEAP_LOG_BITS 8u
#define HEAP_LOG_ONE 16u /* logarithms have so many bits behind the point */

struct heap_config { /* written once, before the programs are loaded */
	u64 rate; /* mean bytes between samples; 1: every allocation */
	u32 live; /* blocks are followed until they are freed */
	u32 sessions; /* each call decides whether it gets a return probe: 6.13 on */
	/* log2(1 + i / 2^HEAP_LOG_BITS), for drawing distances without floating point */
	u32 log2_table[(1u << HEAP_LOG_BITS) + 1];
	u32 pad2;
};

struct heap_block { /* the key of a live block */
	u64 address;
	struct global_pid tgid;
	u32 began; /* when the process did, in units of 2^20 ns: its number comes again */
};

struct heap_live {
	struct sample_key key; /* what it was counted under */
	u64 weight; /* HEAP_WEIGHED: the bytes that it stands for */
	u64 time; /* of its allocation, CLOCK_MONOTONIC ns */
	u32 inherited; /* a child's, from before its fork */
	u32 pad;
};

/* A place at which a link of any program has a return probe for one process. */
struct return_link {
	u64 inode; /* the kernel's address of it */
	u64 number; /* of the inode, as maps and stat say it, on most file systems */
	u32 dev_major, dev_minor;
	u64 offset; /* in the file */
	u32 link, program; /* the kernel's numbers */
	struct proc_pid tgid; /* 0: the process is outside of cprof's PID namespace */
	u32 pad;
};

/* A process to look through for allocators: a child of a target, or a target that runs another program. */
struct new_process {
	struct proc_pid tgid;
	u32 exec; /* it is another program now */
};

_Static_assert(sizeof(struct heap_block) == 16, "hash keys have no padding");
_Static_assert(sizeof(struct heap_arg) == 16, "the same in both worlds");

#endif
