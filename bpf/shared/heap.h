/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Defines what cprof heap and cprof allocs share with their programs. */
#ifndef CPROF_BPF_SHARED_HEAP_H
#define CPROF_BPF_SHARED_HEAP_H

#include "records.h"

enum heap_cause { /* values of sample_key.cause */
		  HEAP_NONE,
		  /* drawn by bpf/heap.bpf.c; user space knows what a sample represents */
		  HEAP_DRAWN,
		  HEAP_WEIGHED, /* sampled by the target itself, which gave count.weight */
		  /* blocks of several sizes, merged by user space (heap_amount_merge) */
		  HEAP_MERGED,
};

enum alloc_fn {
	ALLOC_FN_ALLOC = 1, /* size in args[0]; times args[1] with ALLOC_FN_PRODUCT */
	ALLOC_FN_FREE, /* the block in args[0] */
	ALLOC_FN_REALLOC, /* size in args[0], the old block in args[2] */
	ALLOC_FN_USDT_ALLOC, /* block, size, weighted bytes */
	ALLOC_FN_USDT_FREE,
	ALLOC_FN_USDT_STARTED, /* of cprof's own sampler, like those that follow */
	ALLOC_FN_USDT_DROPPED,
	ALLOC_FN_USDT_UNREACHED,
	/* It waits for probes: in its own process, in the program that this process runs next, or
	 * in one that a child will run. In args: struct sampler_answers, a number, and a file. */
	ALLOC_FN_USDT_BYPASSED,
	ALLOC_FN_USDT_EXEC,
	ALLOC_FN_USDT_SPAWN,
	ALLOC_FN_RESULT, /* the place where the result of an ALLOC_FN_RESULTS is known */
};

#define ALLOC_FN_PRODUCT 1u /* the size is args[0] * args[1] */
#define ALLOC_FN_STORED \
	2u /* the block is returned through the pointer in args[2], and 0 is success */
#define ALLOC_FN_PAGES 4u /* the size is rounded up to whole pages */
#define ALLOC_FN_JUMPS 8u /* it may end in a jump to another allocation function */
/* An exception or a switch of stacks may leave it, so it has no return probe. */
#define ALLOC_FN_RESULTS 16u /* an ALLOC_FN_RESULT sees its returns */
#define ALLOC_FN_UNSEEN 32u /* its returns are not seen */

enum heap_arg_kind { HEAP_ARG_NONE, HEAP_ARG_REG, HEAP_ARG_MEM, HEAP_ARG_CONST };

/* A register is identified by its place in struct pt_regs, in words: ARCH_WORD_* (arch/regs.h). */
/* Says where an argument is when the probe is hit. */
struct heap_arg {
	u8 kind; /* enum heap_arg_kind */
	u8 size; /* in bytes */
	u8 is_signed;
	u8 reg; /* ARCH_WORD_* of the register for REG, and of the base for MEM */
	u8 index, scale; /* for MEM */
	u8 shift; /* for REG, in bits */
	u8 pad;
	s64 value; /* for CONST, or the displacement of MEM */
};

/* Describes a place with a probe; its number is the probe's cookie. */
struct heap_site {
	u32 number;
	u16 function; /* enum alloc_fn */
	u16 flags; /* ALLOC_FN_* */
	/* For a RESULT: the result if its jcc jumps, and if it does not; NONE if it is not known
	 * there. */
	struct heap_arg args[3];
	u32 condition; /* RESULT: the condition code of the jcc; any value if the args are equal */
	/* for allocations and RESULT: the stack pointer is this far below where it was at the
	 * entry */
	u32 stack_bytes;
	u32 cost_ns; /* RESULT: the estimated cost of one hit */
	u32 pad;
};

#define HEAP_MAX_SITES 4096u /* some 300 allocators; numbers are used again */
#define HEAP_LOG_BITS 8u
#define HEAP_LOG_ONE 16u /* logarithms have this many bits after the point */

struct heap_config { /* written once, before the programs are loaded */
	u64 rate; /* mean bytes between samples; 1 for every allocation */
	u32 live; /* blocks are followed until they are freed */
	u32 sessions; /* each call decides whether it gets a return probe, since 6.13 */
	/* log2(1 + i / 2^HEAP_LOG_BITS), for drawing distances without floating point */
	u32 log2_table[(1u << HEAP_LOG_BITS) + 1];
	u32 sampler; /* a command preloads one; programs without it are reported */
};

struct heap_block { /* the key of a live block */
	u64 address;
	struct global_pid tgid;
	u32 began; /* when the process began, in units of 2^20 ns, because its number is reused */
};

struct heap_live {
	struct sample_key key; /* the key that it was counted under */
	u64 weight; /* HEAP_WEIGHED: the bytes that it represents */
	u64 time; /* time of its allocation, in CLOCK_MONOTONIC ns */
	u32 inherited; /* copied from the parent at the fork */
	u32 pad;
};

/* Describes a place at which a link of any program has a return probe for one process. */
struct return_link {
	u64 inode; /* the kernel's address of it */
	u64 number; /* the inode's number as maps and stat show it, on most file systems */
	u32 dev_major, dev_minor;
	u64 offset; /* in the file */
	u32 link, program; /* the kernel's numbers */
	struct proc_pid tgid; /* 0 if the process is outside of cprof's PID namespace */
	u32 pad;
};

/* News of a process: it is a child of a target or a target that runs another program, so it has to
 * be searched for allocators; or its program has ended; or it asks for probes. */
struct new_process {
	struct proc_pid tgid;
	u32 exec; /* it runs another program now */
	u32 ended; /* it has run a program without a sampler, which has ended; then with `comm` */
	u32 probed; /* calls of that program have hit probes */
	/* enum alloc_fn: the sampler in it waits for an answer (base/sampler_question.h); else 0 */
	u32 asks;
	u32 shares_memory; /* it asks in the memory of its parent, between vfork and exec */
	char comm[16];
	u64 time; /* when it began, in CLOCK_MONOTONIC ns */
	u64 answers, number, file; /* the arguments of the question */
	u64 inode; /* of the program, if its unwind table has to be loaded; else 0 */
};

_Static_assert(sizeof(struct heap_block) == 16, "hash keys have no padding");
_Static_assert(sizeof(struct heap_arg) == 16, "the same in both worlds");

#endif
