/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The one contract between the programs in the kernel and user space: how unwind rows, rules,
 * modules, stacks and counters look in memory.
 *
 * Included by bpf/<kind>.bpf.c, by src/ and by the tests, so it holds fixed-width types only. Before
 * it is included, u8..s64 must be known (vmlinux.h in BPF, <linux/types.h>-style typedefs in
 * src/base/types.h).
 *
 * How an address becomes a rule
 * -----------------------------
 * A module is one file that is mapped executable (or the vdso). Addresses inside it are *file
 * offsets* (address - vm_start + vm_pgoff * page size), so one table serves every process that maps
 * the file, wherever it lies.
 *
 *   file offset --(- base_off, >> UNWIND_BLOCK_SHIFT)--> struct unwind_block (the module's directory)
 *   block.first_row, block.nrows --> words in the module's row pages, each: low 16 bits of the file
 *       offset where the row begins << 16 | rule number. Sorted, so the row that covers an offset is
 *       the last one whose word is <= (offset & 0xffff) << 16 | 0xffff. When there is none in the
 *       block, block.rule (the rule in force where the block begins) applies.
 *   rule number --> struct unwind_rule, one table shared by all modules. Unwinding states repeat:
 *       a libc has 23,515 rows and 306 rules.
 *
 * The rows of one block never cross a page of UNWIND_PAGE_WORDS words, so that the search needs one
 * page look-up and then plain memory reads.
 */
#ifndef CPROF_BPF_SHARED_H
#define CPROF_BPF_SHARED_H

/* ---- numbers of processes and threads -------------------------------------------------------- */

/*
 * A process or thread has a number in each PID namespace that it is in (pid_namespaces(7)). Three
 * of them matter here, and each has a type, so that the compiler refuses one in place of another.
 * User space turns a struct proc_pid into a pid_t in src/target/pid_space.h, and nowhere else.
 */
struct global_pid { /* in the initial namespace: what BPF programs see (task->pid, task->tgid) */
	u32 nr;
};

struct proc_pid { /* in cprof's namespace: its /proc, its system calls, its user; 0: not in there */
	u32 nr;
};

struct inner_pid { /* in the task's own: what its getpid(), futex words and perf-PID.map show */
	u32 nr;
};

/* ---- unwind tables ---------------------------------------------------------------------------- */

#define UNWIND_BLOCK_SHIFT 10u /* a directory entry covers 1 KiB of text: some 17 rows in libc */
#define UNWIND_PAGE_WORDS 1024u /* one page of rows: 4 KiB; the unit in which tables are loaded */
#define UNWIND_PAGE_BLOCKS 512u /* directory entries (8 bytes) in one page */
#define UNWIND_MAX_RULES 32768u

/* One KiB of a module's text. */
struct unwind_block {
	u32 first_row; /* index of the first word, counted from the module's first row page */
	u16 nrows; /* rows that begin inside the block; less than UNWIND_PAGE_WORDS */
	u16 rule; /* rule in force at the block's first byte */
};

#define UNWIND_ROW(off, rule) (((u32)((off)&0xffff) << 16) | (u32)(rule))
#define UNWIND_ROW_RULE(word) ((word)&0xffff)

/* A page of the table pool. */
struct unwind_page {
	union {
		u32 words[UNWIND_PAGE_WORDS];
		struct unwind_block blocks[UNWIND_PAGE_BLOCKS];
	};
};

/* How the canonical frame address is computed. */
enum unwind_cfa {
	UNWIND_CFA_NONE = 0, /* no row covers this address (gap, data, unknown expression) */
	UNWIND_CFA_RSP, /* rsp + cfa_off */
	UNWIND_CFA_RBP, /* rbp + cfa_off */
	UNWIND_CFA_REG, /* register cfa_reg + cfa_off; rbx, or in a leaf, where all are known, any */
	UNWIND_CFA_RSP_DEREF, /* *(rsp + cfa_off) + cfa_add */
	UNWIND_CFA_RBP_DEREF, /* *(rbp + cfa_off) + cfa_add */
	UNWIND_CFA_PLT, /* rsp + 8 + ((pc & 15) >= cfa_off ? 8 : 0): lazily bound PLT entries */
	UNWIND_CFA_SIGNAL, /* rt_sigframe at rsp: all registers come from its ucontext */
	UNWIND_CFA_STOP, /* return address undefined: the outermost frame, the stack is whole */
	UNWIND_CFA_FP, /* the module has no table but keeps frame pointers (Go, JIT): follow rbp */
	UNWIND_CFA_GO, /* Go's run time went on on another stack: enum unwind_go in cfa_reg */
};

/*
 * Where Go's run time leaves one stack for another (runtime/asm_amd64.s, sys_linux_amd64.s). Every thread
 * (m) has a stack of its own (g0's) beside that of the goroutine that it runs (m.curg). The rule is that
 * of the stack that was left, once rsp is found: rsp + cfa_off, return address at cfa - 8. cfa_add:
 * where g lies, from the thread pointer on (0: unknown); rbp_off: of curg in m; ra_off: where asmcgocall
 * keeps g, above rsp. What is found by them is checked before it is believed.
 */
enum unwind_go {
	UNWIND_GO_SYSTEMSTACK, /* from the goroutine's stack to g0's; curg.sched says where it left */
	UNWIND_GO_ASMCGOCALL, /* likewise, to call C; g and the depth in its stack are on g0's */
	UNWIND_GO_CGOCALLBACK, /* from g0's, where C ran, to the goroutine's; g0.sched says where */
	UNWIND_GO_MORESTACK, /* the goroutine grows its stack, or is preempted */
	UNWIND_GO_MCALL, /* the goroutine is left for good: the scheduler's stack is whole */
	UNWIND_GO_VDSO, /* a short while on g0's, for the vdso; rbp stays the goroutine's */
};

/* Where the caller's rbp is. */
enum unwind_rbp {
	UNWIND_RBP_SAME = 0, /* unchanged */
	UNWIND_RBP_CFA, /* at *(cfa + rbp_off) */
	UNWIND_RBP_RBP, /* at *(rbp + rbp_off): an expression, in functions that realign the stack */
	UNWIND_RBP_UNDEFINED, /* not recoverable: keep the value, do not trust it */
};

/* Where the return address is. */
enum unwind_ra {
	UNWIND_RA_CFA = 0, /* at *(cfa + ra_off): normally ra_off = -8 */
	UNWIND_RA_REG, /* in register ra_off (DWARF number); only in a leaf (vfork keeps it in rdi) */
};

/*
 * rbx is carried along for one reader: the dynamic linker's lazy resolver counts its CFA from it
 * (glibc, _dl_runtime_resolve_xsave), and programs spend their start there.
 */
#define UNWIND_RBX_SAME 0
#define UNWIND_RBX_LOST (-32768)

struct unwind_rule {
	u8 cfa; /* enum unwind_cfa */
	u8 rbp; /* enum unwind_rbp */
	u8 ra; /* enum unwind_ra */
	u8 cfa_reg; /* DWARF register number for UNWIND_CFA_REG (System V ABI, figure 3.36) */
	s32 cfa_off;
	s16 rbp_off;
	s16 rbx_off; /* caller's rbx at *(cfa + rbx_off), or one of UNWIND_RBX_* */
	s16 cfa_add; /* added after the load of the _DEREF kinds */
	s16 ra_off;
};

/* Rule numbers that are the same everywhere, so that a builder need not look them up. */
enum unwind_rule_id {
	UNWIND_RULE_NONE = 0, /* { UNWIND_CFA_NONE } */
	UNWIND_RULE_STOP = 1, /* { UNWIND_CFA_STOP } */
	UNWIND_RULE_FP = 2, /* { UNWIND_CFA_FP } */
	UNWIND_RULE_FIRST_FREE = 3,
};

_Static_assert(sizeof(struct unwind_block) == 8, "directory pages hold 512 blocks");
_Static_assert(sizeof(struct unwind_rule) == 16, "rules are loaded as an array");
_Static_assert(UNWIND_PAGE_WORDS * sizeof(u32) == 4096, "one page of rows is one page");
_Static_assert(UNWIND_PAGE_BLOCKS * sizeof(struct unwind_block) == 4096, "likewise the directory");
_Static_assert((1u << UNWIND_BLOCK_SHIFT) <= UNWIND_PAGE_WORDS, "a block's rows fit one page");

/* ---- frames ----------------------------------------------------------------------------------- */

/*
 * A frame is one u64: module number in the upper 16 bits, the file offset (or, for the kernel and for
 * memory that no file backs, the address) in the lower 48. Callers' frames hold the return address
 * minus one, so that they lie inside the call instruction; the leaf and a frame that a signal
 * interrupted hold the exact pc.
 */
#define FRAME_OFF_BITS 48
#define FRAME_OFF_MASK ((1ull << FRAME_OFF_BITS) - 1)
#define FRAME(module, off) (((u64)(module) << FRAME_OFF_BITS) | ((u64)(off)&FRAME_OFF_MASK))
#define FRAME_MODULE(frame) ((u32)((frame) >> FRAME_OFF_BITS))
#define FRAME_OFF(frame) ((frame)&FRAME_OFF_MASK)

enum module_id {
	MODULE_NONE = 0, /* an address that no mapping covers */
	MODULE_KERNEL = 1, /* a kernel address (sign-extend bit 47) */
	MODULE_ANON = 2, /* executable memory without a file (JIT): an address in that process */
	MODULE_VDSO = 3, /* offset from the start of the vdso */
	MODULE_CUT = 4, /* not code: the outermost frame of a cut stack, offset = enum stack_end */
	MODULE_UNKNOWN =
		5, /* mapped file that user space could not load or has no room for: address */
	MODULE_WAKER = 6, /* not code: stands between a waiter's stack and that of its waker */
	MODULE_PROCESS = 7, /* not code: the process whose JIT frames follow, offset = its tgid */
	MODULE_MERGED = 8, /* not code: the leaf of rare stacks that were merged to save memory */
	MODULE_PATH = 9, /* not code: stands for a path elsewhere in the tree of user space */
	MODULE_OUTSIDE =
		10, /* a file of processes outside cprof's PID namespace only: file offset */
	MODULE_FIRST_FILE = 16,
	MODULE_MAX = 8192,
};

#define STACK_MAX_USER 1024u /* user frames kept, leaf side first */
#define STACK_MAX_KERNEL 127u /* kernel.perf_event_max_stack's default */
#define STACK_MAX_FRAMES (STACK_MAX_USER + STACK_MAX_KERNEL + 2u)

/*
 * How a stack ended. Everything but the first is a cut: the frames on the leaf side are kept and a
 * frame of MODULE_CUT says why the rest is missing. The sentence is what a user reads.
 */
#define STACK_ENDS(X)                                                           \
	X(STACK_WHOLE, "whole")                                                 \
	X(STACK_TOO_DEEP, "deeper than 1024 frames")                            \
	X(STACK_NOT_MAPPED, "return address outside every mapping")             \
	X(STACK_LOADING, "unwind table not loaded yet")                         \
	X(STACK_NO_TABLE, "module without an unwind table")                     \
	X(STACK_NO_ROW, "no unwind row for the address")                        \
	X(STACK_REGISTER_LOST, "unwind row needs a register that is not saved") \
	X(STACK_UNREADABLE, "stack memory not readable")                        \
	X(STACK_NO_PROGRESS, "frame does not move up the stack")                \
	X(STACK_COMPAT, "32-bit code")                                          \
	X(STACK_COPY_TOO_SHORT, "stack larger than the copied part")            \
	X(STACK_SWITCH, "went on on another stack")                             \
	X(STACK_UNREAD, "file could not be read in time")                       \
	X(STACK_OUTSIDE, "process outside of cprof's PID namespace")

#define STACK_END_ENUM_(name, text) name,
enum stack_end { STACK_ENDS(STACK_END_ENUM_) STACK_END_COUNT };
#undef STACK_END_ENUM_

#define STACK_WINDOW 32u /* words */

/* What the walk of one stack needs and leaves behind. */
struct stack_walk {
	u64 pc, sp, bp, bx;
	u64 regs[16]; /* by DWARF number; only meaningful while regs_known */
	u64 scratch[17]; /* a sigcontext's general registers */
	u64 window[STACK_WINDOW]; /* a part of the stack, read ahead */
	u64 window_at; /* its address; all ones: none */
	u64 trampoline; /* what return probes put in place of return addresses; 0: none are waiting */
	u64 go_system_sp; /* rsp that the last cgocallback saved before its own; 0: none seen yet */
	u64 hash; /* of frames[0..nframes) */
	u32 bx_known;
	u32 regs_known; /* at the leaf and behind a signal frame */
	u32 exact; /* pc is where it runs, not a return address */
	u32 nframes; /* kernel frames come first */
	u32 end; /* enum stack_end */
	u32 missing_module; /* the last address lies in a file whose table is not loaded yet */
	u32 has_anon; /* some frame is JIT code: the stack means something in its process only */
	u32 mm_set; /* which cached mappings belong to this address space */
	u64 frames[STACK_MAX_FRAMES];
};

/* One remembered answer: the rule of a frame. */
struct rule_memo {
	u64 frame; /* 0: empty (no frame is 0) */
	struct unwind_rule rule;
};

/* Where a module's tables lie in the pool of pages; one per module number. */
struct module_table {
	u64 base_off;
	u32 nblocks;
	u32 block_page; /* first page of its directory */
	u32 word_page; /* first page of its rows */
	u32 nwords; /* of whole pages */
	u16 has_table; /* 0: nothing is known about the module's code */
	u16 zero; /* a zero that the verifier cannot see through */
	u32 unread; /* there is no table because the file's file system did not answer */
};

/* The pool: pages live in chunks, each an array map that user space fills through mmap. */
#define TABLE_CHUNK_PAGES 256u /* 1 MiB */
#define TABLE_MAX_CHUNKS 1024u

/* ---- samples ---------------------------------------------------------------------------------- */

/*
 * What is counted together. Fields that the user did not ask to tell apart are 0. Cause, outcome and
 * object may be known only after the stack was taken: frames that are sent with none of them are those of
 * every such key.
 */
struct sample_key {
	u64 stack; /* stack_walk.hash, or a ticket: a number made up for one stack */
	u64 object; /* what it was about: bytes of an allocation, address of a lock, a waker's stack */
	struct global_pid tgid; /* always set when the stack holds JIT frames */
	struct global_pid tid;
	u32 cpu;
	u16 cause; /* enum heap_cause, enum wait_cause, HOLD_CAUSE() */
	u16 outcome; /* enum wait_outcome; holds: 1 where somebody waited */
};

struct sample_count {
	u64 samples;
	u64 weight; /* sum of the periods: nanoseconds for clocks, events for counters */
};

#define COMM_LEN 16

enum record_kind {
	RECORD_STACK = 1, /* the frames behind a key, sent when the key is first counted */
	RECORD_MODULE = 2, /* a mapped file whose table user space should load */
	RECORD_PENDING = 3, /* a stack that met such a file: its rest is walked in user space */
};

struct sample_record {
	u32 kind;
	u32 nframes;
	struct sample_key key;
	struct proc_pid tgid, tid; /* of the first thread that was seen with it */
	char comm[COMM_LEN]; /* that thread's */
	char leader_comm[COMM_LEN]; /* its process' */
	u64 frames[STACK_MAX_FRAMES]; /* only nframes are sent */
};

struct module_record {
	u32 kind;
	struct proc_pid tgid; /* a process that maps it */
	u64 inode; /* address of the kernel's inode: unique while user space keeps the file open */
	u64 start, end, offset; /* the mapping; offset in bytes */
};

/*
 * A sample whose walk met a file that has no table yet. It comes after the RECORD_MODULE that asked for
 * the table, with the registers where the walk stopped and a copy of the stack from there: user space
 * loads the table and walks on. So the first moments of a new program or library are not lost.
 */
#define PENDING_PIECE \
	1024u /* the stack is copied in pieces, up to the first that is not readable */
#define PENDING_STACK (16u * PENDING_PIECE)

struct pending_record {
	u32 kind;
	u32 nframes; /* walked so far */
	struct sample_key key; /* .stack is not known yet, or its ticket */
	struct sample_count count; /* of this one sample */
	u64 ticket; /* nonzero: counts will come under it, instead of the stack's hash */
	struct global_pid key_tgid; /* for the key, if the rest of the walk finds JIT frames */
	u32 pad;
	struct proc_pid tgid, tid;
	char comm[COMM_LEN];
	char leader_comm[COMM_LEN];
	u64 pc, sp, bp, bx;
	u64 regs[16];
	u32 regs_known, bx_known, exact;
	u32 copied; /* bytes of stack */
	u8 data[STACK_MAX_FRAMES * 8 + PENDING_STACK]; /* the frames, then the stack from sp on */
};

/* Counters, per CPU, summed by user space. Every way to lose a sample has one. */
#define STATS(X)                                                                  \
	X(STAT_TICKS, "times the sampler ran")                                    \
	X(STAT_LATE_TICKS, "periods that a late tick stands for, beyond its own") \
	X(STAT_SAMPLES, "samples of the target")                                  \
	X(STAT_LOST_RING, "samples lost: ring buffer full")                       \
	X(STAT_LOST_TABLE, "samples lost: count table full")                      \
	X(STAT_LOST_SCRATCH, "samples lost: interrupted another sample")          \
	X(STAT_MODULE_MISSES, "tables asked for while sampling")                  \
	X(STAT_NANOSECONDS, "time spent taking samples")                          \
	X(STAT_PENDING, "samples walked on in user space")                        \
	X(STAT_FRAMES, "user frames walked")                                      \
	X(STAT_VMA_WALKS, "address space look-ups")                               \
	X(STAT_HEAP_ALLOCS, "calls of allocating functions")                      \
	X(STAT_HEAP_FREES, "calls of freeing functions")                          \
	X(STAT_HEAP_FREED, "sampled blocks that were freed")                      \
	X(STAT_HEAP_FAILED, "sampled allocations that failed")                    \
	X(STAT_HEAP_DROPPED, "sampled blocks lost: table of live blocks full")    \
	X(STAT_HEAP_UNFOLLOWED, "sampled allocations whose return is not seen")   \
	X(STAT_HEAP_DECLINED, "allocations while one waits on another stack")     \
	X(STAT_HEAP_RESULTS_NS, "cost of probes where results are known")         \
	X(STAT_LOST_WAIT, "waits lost: wait table full")                          \
	X(STAT_RUNNING, "time that threads of the target ran")                    \
	X(STAT_NO_HOLDER, "lock waits that nobody's unlocking ended")             \
	X(STAT_NO_HOLDER_TIME, "their time")                                      \
	X(STAT_HOLD_LOCKS, "calls of locking functions")                          \
	X(STAT_HOLD_UNLOCKS, "calls of unlocking functions")                      \
	X(STAT_LOST_LOCK, "locks whose waiters were not told apart: table full")  \
	X(STAT_LOST_HOLD, "holds whose end was not seen")                         \
	X(STAT_UNANNOUNCED, "new processes not announced: ring full")             \
	X(STAT_LOST_TARGET, "processes that are not recorded: table of targets full")

#define STAT_ENUM_(name, text) name,
enum sample_stat { STATS(STAT_ENUM_) STAT_COUNT };
#undef STAT_ENUM_

#define STAT_ENDS_FIRST STAT_COUNT /* then one counter for each enum stack_end */
#define STAT_SLOTS (STAT_COUNT + STACK_END_COUNT)

/* ---- heap -------------------------------------------------------------------------------------- */

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

/* Registers by their place in struct pt_regs (arch/x86/include/asm/ptrace.h), in words. */
enum heap_reg { HEAP_REG_DX = 12, HEAP_REG_SI = 13, HEAP_REG_DI = 14, HEAP_REG_NONE = 0xff };

/* Where an argument is when the probe is hit. */
struct heap_arg {
	u8 kind; /* enum heap_arg_kind */
	u8 size; /* bytes */
	u8 is_signed;
	u8 reg; /* enum heap_reg; of REG; the base of MEM */
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
	u32 stack_bytes; /* RESULT: rsp is this far below rsp at the function's entry */
	u32 cost_ns; /* RESULT: of one hit, an estimate */
	u32 pad;
};

#define HEAP_MAX_SITES 1024u
#define HEAP_LOG_BITS 8u
#define HEAP_LOG_ONE 16u /* logarithms have so many bits behind the point */

struct heap_config { /* written once, before the programs are loaded */
	u64 rate; /* mean bytes between samples; 1: every allocation */
	u32 live; /* blocks are followed until they are freed */
	u32 pad;
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

/* A process to look through for allocators: a child of a target, or a target that runs another program. */
struct new_process {
	struct proc_pid tgid;
	u32 exec; /* it is another program now */
};

_Static_assert(sizeof(struct heap_block) == 16, "hash keys have no padding");
_Static_assert(sizeof(struct heap_arg) == 16, "the same in both worlds");

/* ---- waits ------------------------------------------------------------------------------------- */

/* Why a thread was not running, as `--state` and the label "cause" name it. */
#define WAIT_CAUSES(X)               \
	X(WAIT_NONE, "running")      \
	X(WAIT_RUNNABLE, "runnable") \
	X(WAIT_LOCK, "lock")         \
	X(WAIT_SLEEP, "sleep")       \
	X(WAIT_DISK, "disk")         \
	X(WAIT_NETWORK, "network")   \
	X(WAIT_PIPE, "pipe")         \
	X(WAIT_FAULT, "fault")       \
	X(WAIT_STOP, "stop")         \
	X(WAIT_IDLE, "idle")         \
	X(WAIT_OTHER, "other")

#define WAIT_ENUM_(name, text) name,
enum wait_cause { WAIT_CAUSES(WAIT_ENUM_) WAIT_CAUSE_COUNT };
#undef WAIT_ENUM_

/* How a wait for a lock ended. */
enum wait_outcome {
	WAIT_OUTCOME_NONE, /* not asked for */
	WAIT_ACQUIRED, /* woken by whoever released */
	WAIT_TIMEOUT,
	WAIT_INTERRUPTED, /* by a signal */
	WAIT_UNFINISHED, /* it went on when the recording ended */
	WAIT_OWNED, /* no end: the stack is the owner's, while others waited */
};

enum wait_mode { /* bits: what the programs look for */
		 WAIT_MODE_OFFCPU = 1, /* every time off the CPU, by cause */
		 WAIT_MODE_BLOCK = 2, /* lock waits, by the waiter's stack */
		 WAIT_MODE_MUTEX = 4, /* lock waits, by the waker's stack */
		 WAIT_MODE_LOCKS = WAIT_MODE_BLOCK | WAIT_MODE_MUTEX,
		 WAIT_MODE_OWNERS = 8, /* with MUTEX: what the owner did meanwhile, too */
		 WAIT_MODE_WAKERS = 16, /* with OFFCPU: by the waker's stack, too */
};

#define WAKER_STACK ~0ull /* sample_key.object of a waker's frames */

struct wait_config { /* written once, before the programs are loaded */
	u64 min_ns; /* shorter waits are not counted */
	u32 mode; /* enum wait_mode */
	u32 pad;
};

/* What a thread of the target is doing; one per thread, by tid. */
struct thread_wait {
	u64 since; /* bpf_ktime_get_ns() when it came on or left the CPU */
	u64 woken; /* when it became runnable again; 0: it has not */
	u64 early; /* when somebody last woke it while it was still on its CPU */
	struct sample_key key; /* of the stack with which it left; .cause says why */
	u16 running;
	u16 counted; /* the key is valid */
	u16 cause; /* enum wait_cause */
	u16 slept; /* the last cause that was not WAIT_RUNNABLE */
	u16 outcome; /* enum wait_outcome, once it has been woken */
	u16 timed; /* the lock wait has a time limit */
	u16 queued; /* it is among the lock's waiters */
	u16 retries; /* who is woken from this wait may have to wait again */
	u64 object; /* the lock */
	u64 sp; /* with which it left */
	/*
	 * A wait for a lock that is over, unless the thread goes on with it: after a signal, or when somebody
	 * else was quicker. Then `first` stays.
	 */
	struct sample_key past;
	u64 past_sp;
	u64 first, came; /* when it began (mutex: was woken; 0: there is none) and was over */
	u64 ran; /* on the CPU since then */
	u64 waker; /* offcpu: the number of its waker's stack */
	u64 asked; /* mutex: a lock that it owned when somebody began to wait: its stack is wanted */
	struct global_pid tgid;
	struct proc_pid proc_tgid, proc_tid;
	struct inner_pid
		inner; /* the thread: as the owner of a lock, its memory shows this number */
	u32 released; /* it has woken a waiter of past.object since */
	u32 pad;
};

#define LOCK_SLOTS 16384u /* a power of two */

/* A lock with waiters, or that had some: whoever releases it is charged with the time of all. */
struct lock_slot {
	u64 object; /* the lock; 0: never used */
	struct global_pid tgid;
	u32 set_busy; /* in the first slot of a set: a CPU gives one of them to another lock */
	u64 queue; /* of its waiters (lock_queue.h); 0: none, and the slot may be taken over */
	u64 released; /* time of the last release */
	u64 owned_object; /* the lock whose owner's stack `owner` is; 0: not known */
	struct sample_key owner;
};

/*
 * A thread that slept already when recording began, from an iterator: user space copies and walks its
 * stack, and keeps the frames under the ticket that its wait has in the kernel.
 */
struct thread_record {
	struct sample_key key; /* .stack is the ticket */
	struct proc_pid tgid, tid;
	char comm[COMM_LEN];
	char leader_comm[COMM_LEN];
	u64 pc, sp, bp, bx;
	u64 regs[16];
	u32 nframes; /* kernel frames */
	u16 exact;
	u16 user; /* there are user frames, and they are wanted */
	u64 frames[STACK_MAX_KERNEL + 1];
};

_Static_assert(sizeof(struct thread_wait) == 192, "map values have no padding");

/* ---- holds: locks seen from inside, by probes on their functions --------------------------------- */

enum lock_function {
	HOLD_NONE,
	HOLD_LOCK, /* takes the lock, sooner or later */
	HOLD_TRY, /* takes it, if it is free */
	HOLD_UNLOCK,
	HOLD_WAIT, /* a condition variable: lets go of the lock and takes it again */
};

enum hold_kind { HOLD_MUTEX, HOLD_RWLOCK, HOLD_SPIN, HOLD_SEMAPHORE };

/*
 * The cookie of a probe: what the function does, to what, and in which words of struct pt_regs the lock and the
 * condition variable are.
 */
#define HOLD_COOKIE(function, kind, lock, cond) \
	((u64)(function) | (u64)(kind) << 8 | (u64)(lock) << 16 | (u64)(cond) << 24)
#define HOLD_OPAQUE (1ull << 32) /* the lock's words are not glibc's: they tell nothing */
#define HOLD_BEGUN (1ull << 33) /* the probe sits behind the instruction that takes a spin lock */
#define HOLD_COOKIE_FN(cookie) ((u32)(cookie)&0xff)
#define HOLD_COOKIE_KIND(cookie) ((u32)((cookie) >> 8) & 0xff)
#define HOLD_COOKIE_LOCK(cookie) ((u8)((cookie) >> 16))
#define HOLD_COOKIE_COND(cookie) ((u8)((cookie) >> 24))

#define HOLD_CAUSE(kind) \
	((u16)((kind) + 1)) /* sample_key.cause; .outcome is 1 where somebody waited */

struct held_key {
	u64 object;
	struct global_pid tgid, tid;
};

struct held {
	u64 since;
	struct sample_key key; /* of the stack that took it */
	u64 cond; /* the condition variable that is waited for before; 0: none */
	u64 older, newer; /* other locks that the thread holds; 0: none */
	u16 contended; /* it was taken by somebody else, or the thread had to sleep */
	u8 kind; /* enum hold_kind */
	u8 opaque; /* HOLD_OPAQUE */
	u32 depth; /* of a recursive mutex */
	struct proc_pid proc_tgid;
	struct inner_pid inner; /* the thread, as the lock's memory shows it */
};

_Static_assert(sizeof(struct held) == 80, "map values have no padding");

enum initial_task { /* what user space asks of a process before recording */
		    INITIAL_NONE = 0,
		    INITIAL_TARGET = 1, /* profile it */
		    INITIAL_LIST_ONLY = 2, /* only list what it has mapped */
};

enum sample_mode {
	SAMPLE_TARGETS = 0, /* tgids in the targets map */
	SAMPLE_ALL = 1,
	SAMPLE_CGROUP = 2,
};

/* A process of SAMPLE_TARGETS, by its struct global_pid. */
struct target_process {
	struct proc_pid tgid;
};

/* Written once, before the programs are loaded. */
struct sample_config {
	u64 cgroup_id; /* kernfs id of the cgroup's directory */
	u64 clock_period; /* nanoseconds between ticks; 0: the event is no clock */
	u32 mode; /* enum sample_mode */
	u32 cgroup_level;
	u32 cgroup_subsys; /* v1: index of the controller; ~0: the unified hierarchy */
	u32 follow_children;
	u32 by_tgid, by_tid, by_cpu; /* what to tell apart */
	u32 user, kernel; /* which frames (and samples) are wanted */
	u32 pidns_nested; /* cprof runs in a PID namespace of its own, which has this inode */
	u32 pidns_inode;
};

/* Shared while recording, through the mapped .bss. */
struct sample_control {
	u64 live_targets; /* processes of SAMPLE_TARGETS that have not exited */
	u64 active_keys; /* entries made in the active count map since it became active */
	u32 active_counts; /* which count map takes new samples: 0 or 1; user space flips it */
	struct global_pid self_tgid; /* cprof's own; left out of SAMPLE_ALL */
};

_Static_assert(sizeof(struct sample_key) == 32, "hash keys have no padding");
_Static_assert(sizeof(struct sample_record) % 8 == 0, "ring buffer records are 8-byte multiples");
_Static_assert(__builtin_offsetof(struct pending_record, data) % 8 == 0, "frames are aligned");
_Static_assert(sizeof(struct pending_record) < 32768, "per-CPU map values end at 32 KiB");
_Static_assert(sizeof(struct stack_walk) < 32768, "per-CPU map values end at 32 KiB");
_Static_assert(STACK_MAX_KERNEL + STACK_MAX_USER < STACK_MAX_FRAMES, "room for the cut mark");

#endif
