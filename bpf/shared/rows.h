/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * How unwind rows, rules and the tables of modules look in memory.
 *
 * How an address becomes a rule ----------------------------- A module is one file that is mapped
 * executable (or the vdso). Addresses inside it are *file offsets* (address - vm_start + vm_pgoff *
 * page size), so one table serves every process that maps the file, wherever it lies.
 *
 *   file offset --(- base_off, >> UNWIND_BLOCK_SHIFT)--> struct unwind_block (the module's
 *   directory)
 *   block.first_row, block.nrows --> words in the module's row pages, each: low 16 bits of the file
 *       offset where the row begins << 16 | rule number. Sorted, so the row that covers an offset
 *       is
 *       the last one whose word is <= (offset & 0xffff) << 16 | 0xffff. When there is none in the
 *       block, block.rule (the rule in force where the block begins) applies.
 *   rule number --> struct unwind_rule, one table shared by all modules. Unwinding states repeat:
 *       a libc has 23,515 rows and 306 rules.
 *
 * Code without call frame information has UNWIND_RULE_LATER until a stack leads there. Then user
 * space follows it and gives the block other rows, in pages that are anywhere in the pool, so page
 * numbers wrap around at TABLE_MAX_PAGES. The old rows stay where they are. So whoever reads the
 * block in one piece has either the old rows or the new ones.
 *
 * The rows of one block never cross a page of UNWIND_PAGE_WORDS words, so that the search needs one
 * page look-up and then plain memory reads.
 */
#ifndef CPROF_BPF_SHARED_ROWS_H
#define CPROF_BPF_SHARED_ROWS_H

/* a directory entry covers 1 KiB of text, which is some 17 rows in libc */
#define UNWIND_BLOCK_SHIFT 10u
#define UNWIND_PAGE_WORDS 1024u /* one page of rows has 4 KiB; tables are loaded in this unit */
#define UNWIND_PAGE_BLOCKS 512u /* directory entries (8 bytes) in one page */
#define UNWIND_MAX_RULES 32768u

/* Describes one KiB of a module's text. */
struct unwind_block {
	u32 first_row; /* index of the first word, counted from the module's first row page */
	u16 nrows; /* rows that begin inside the block; fewer than UNWIND_PAGE_WORDS */
	u16 rule; /* the rule at the block's first byte */
};

#define UNWIND_ROW(off, rule) (((u32)((off)&0xffff) << 16) | (u32)(rule))
#define UNWIND_ROW_RULE(word) ((word)&0xffff)

/* A page of the table pool. */
struct unwind_page {
	union {
		u32 words[UNWIND_PAGE_WORDS];
		struct unwind_block blocks[UNWIND_PAGE_BLOCKS];
		u64 whole_blocks[UNWIND_PAGE_BLOCKS]; /* each block in one piece */
	};
};

union unwind_block_piece {
	u64 whole;
	struct unwind_block block;
};

/* Says how the canonical frame address is computed. */
enum unwind_cfa {
	UNWIND_CFA_NONE = 0, /* no row covers this address (gap, data, unknown expression) */
	UNWIND_CFA_SP, /* stack pointer + cfa_off */
	UNWIND_CFA_FP, /* frame pointer + cfa_off */
	/* register cfa_reg + cfa_off: the one that walks track, or any in a leaf; with cfa_add ==
	 * UNWIND_REG_KEPT also in the callers of a leaf */
	UNWIND_CFA_REG,
	UNWIND_CFA_SP_DEREF, /* *(stack pointer + cfa_off) + cfa_add */
	UNWIND_CFA_FP_DEREF, /* *(frame pointer + cfa_off) + cfa_add */
	UNWIND_CFA_PLT, /* lazily bound PLT entries, which push from cfa_off on: arch_plt_frame() */
	/* rt_sigframe at the stack pointer: all registers come from its ucontext */
	UNWIND_CFA_SIGNAL,
	/* the return address is undefined: this is the outermost frame, and the stack is whole */
	UNWIND_CFA_STOP,
	/* the module has no table but keeps frame pointers (Go, JIT), so they are followed */
	UNWIND_CFA_CHAIN,
	UNWIND_CFA_GO, /* Go's runtime continued on another stack: enum unwind_go in cfa_reg */
	UNWIND_CFA_LATER, /* code without call frame information that was not followed yet */
};

/*
 * What the instruction calls keeps the register, as do all functions that are called from there, so
 * the register still has the value that it has in the leaf. Their code says so, not the ABI.
 */
#define UNWIND_REG_KEPT 1

/*
 * Where Go's run time leaves one stack for another (runtime/asm_*.s, sys_linux_*.s). Every
 * thread (m) has a stack of its own (g0's) beside that of the goroutine that it runs (m.curg). The
 * rule is that of the stack that was left, once sp is found: sp + cfa_off, return address at cfa -
 * 8. cfa_add: where g lies, from the thread pointer on (0: unknown); fp_off: of curg in m; ra_off:
 * where asmcgocall keeps g, above sp. What is found by them is checked before it is believed.
 */
enum unwind_go {
	/* from the goroutine's stack to g0's; curg.sched says where it left */
	UNWIND_GO_SYSTEMSTACK,
	/* the same, to call C; g and the depth in its stack are on g0's stack */
	UNWIND_GO_ASMCGOCALL,
	/* from g0's stack, where C ran, to the goroutine's; g0.sched says where */
	UNWIND_GO_CGOCALLBACK,
	UNWIND_GO_MORESTACK, /* the goroutine grows its stack, or is preempted */
	UNWIND_GO_MCALL, /* the goroutine is left for good, so the scheduler's stack is whole */
	/* briefly on g0's, for the vdso; the frame pointer stays the goroutine's */
	UNWIND_GO_VDSO,
};

/* Where the caller's frame pointer is. */
enum unwind_fp {
	UNWIND_FP_SAME = 0, /* unchanged */
	UNWIND_FP_CFA, /* at *(cfa + fp_off) */
	/* at *(fp + fp_off), which is an expression, in functions that realign the stack */
	UNWIND_FP_FP,
	UNWIND_FP_UNDEFINED, /* not recoverable: the value is kept, but not trusted */
};

/* Says where the return address is. */
enum unwind_ra {
	UNWIND_RA_CFA = 0, /* at *(cfa + ra_off), where ra_off is normally -8 */
	UNWIND_RA_REG, /* in register ra_off (DWARF number); only in a leaf (vfork) */
};

/*
 * Walks track one more register for one reader: the dynamic linker's lazy resolver computes its CFA
 * from it (glibc, _dl_runtime_resolve_xsave), and programs spend their start there.
 */
#define UNWIND_CALLEE_SAME 0
#define UNWIND_CALLEE_LOST (-32768)

struct unwind_rule {
	u8 cfa; /* enum unwind_cfa */
	u8 fp; /* enum unwind_fp */
	u8 ra; /* enum unwind_ra */
	u8 cfa_reg; /* DWARF register number for UNWIND_CFA_REG (System V ABI, figure 3.36) */
	s32 cfa_off;
	s16 fp_off;
	s16 callee_off; /* the caller's at *(cfa + callee_off), or one of UNWIND_CALLEE_* */
	s16 cfa_add; /* added after the load of the _DEREF kinds; UNWIND_REG_KEPT */
	s16 ra_off;
};

/* These rule numbers are the same everywhere, so a builder need not look them up. */
enum unwind_rule_id {
	UNWIND_RULE_NONE = 0, /* { UNWIND_CFA_NONE } */
	UNWIND_RULE_STOP = 1, /* { UNWIND_CFA_STOP } */
	UNWIND_RULE_CHAIN = 2, /* { UNWIND_CFA_CHAIN } */
	UNWIND_RULE_LATER = 3, /* { UNWIND_CFA_LATER } */
	UNWIND_RULE_FIRST_FREE = 4,
};

_Static_assert(sizeof(struct unwind_block) == 8, "directory pages hold 512 blocks");
_Static_assert(sizeof(struct unwind_rule) == 16, "rules are loaded as an array");
_Static_assert(UNWIND_PAGE_WORDS * sizeof(u32) == 4096, "one page of rows is one page");
_Static_assert(UNWIND_PAGE_BLOCKS * sizeof(struct unwind_block) == 4096, "likewise the directory");
_Static_assert((1u << UNWIND_BLOCK_SHIFT) <= UNWIND_PAGE_WORDS, "a block's rows fit one page");

/* Holds one remembered result: the rule of a frame. */
struct rule_memo {
	u64 frame; /* 0 if empty (no frame is 0) */
	struct unwind_rule rule;
};

/* Says where a module's tables are in the pool of pages; there is one per module number. */
struct module_table {
	u64 base_off;
	u32 nblocks;
	u32 block_page; /* first page of its directory */
	u32 word_page; /* first page of its rows */
	u32 nwords; /* of whole pages */
	u16 has_table; /* 0 if nothing is known about the module's code */
	u16 zero; /* a zero that the verifier cannot see through */
	u32 missing; /* enum table_missing */
	u32 seen; /* modules_state.epoch when a program last saw the module; 0 if none has */
};

/* Holds what user space sets for all modules. */
struct modules_state {
	u64 epoch; /* changes when modules were evicted, which makes cached mappings invalid */
	u64 memo_salt; /* changes when the number of a module is used again */
};

/*
 * What code without a file of its own is. Programs copy their text to huge pages, at the addresses
 * that it had, and then it is still text of their files. User space finds out, because it has to
 * compare the bytes.
 */
struct moved_key {
	u64 mm_id; /* arch_mm_id() */
	u64 start, end; /* of the mapping */
};

struct moved_range {
	u64 start, end; /* the part of the mapping that is text */
	u64 shift; /* file offset = address + shift */
	u64 asked; /* bpf_ktime_get_ns() of the request */
	/* MODULE_NONE until there is an answer; MODULE_ANON if it is not text of a file */
	u32 module;
	u32 pad;
};

#define MOVED_RANGES 4096u

enum table_missing {
	TABLE_NOT_MISSING,
	TABLE_UNREAD, /* the file's file system did not answer */
	TABLE_POOL_FULL, /* the pool is full */
};

/* The pool's pages are in chunks, each of which is an array map that user space fills through
 * mmap. */
#define TABLE_CHUNK_PAGES 256u /* 1 MiB */
#define TABLE_MAX_CHUNKS 1024u
#define TABLE_MAX_PAGES (TABLE_CHUNK_PAGES * TABLE_MAX_CHUNKS)

_Static_assert((TABLE_MAX_PAGES & (TABLE_MAX_PAGES - 1)) == 0, "page numbers wrap around");
_Static_assert((1ull << 32) / UNWIND_PAGE_WORDS >= TABLE_MAX_PAGES, "first_row reaches all pages");

#endif
