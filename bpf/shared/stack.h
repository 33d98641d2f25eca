/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Defines frames, and what the walk of one stack needs and leaves behind. */
#ifndef CPROF_BPF_SHARED_STACK_H
#define CPROF_BPF_SHARED_STACK_H

#include "../arch/regs.h"

/*
 * A frame is one u64: the module number in the upper 16 bits, and the file offset (or, for the
 * kernel and for memory without a file, the address) in the lower 48. Callers' frames hold the
 * return address minus one, so that they lie inside the call instruction. The leaf, and a frame
 * that a signal interrupted, hold the exact pc.
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
	MODULE_UNKNOWN = 5, /* a mapped file that user space could not load: file offset */
	MODULE_WAKER = 6, /* not code: separates a waiter's stack from that of its waker */
	MODULE_PROCESS = 7, /* not code: the process whose JIT frames follow, offset = its tgid */
	MODULE_MERGED = 8, /* not code: the leaf of rare stacks that were merged to save memory */
	MODULE_PATH = 9, /* not code: refers to a path elsewhere in the tree of user space */
	MODULE_OUTSIDE =
		10, /* a file that only processes outside cprof's PID namespace map: file offset */
	MODULE_UNNUMBERED = 11, /* a file for which no number was left: file offset */
	MODULE_BEFORE = 12, /* not code: a stack that nobody took; offset = enum before_reason */
	MODULE_FIRST_FILE = 16,
	/*
	 * Tables are in slots: a module's slot is its number modulo MODULE_SLOTS. When a module is
	 * released, its slot goes to another one with another number, so recorded frames never
	 * refer to another file.
	 */
	MODULE_SLOTS = 8192,
	MODULE_MAX = 65536,
};

enum before_reason { BEFORE_RECORDING = 1, BEFORE_PROBES };

#define STACK_MAX_USER 1024u /* user frames that are kept, from the leaf on */
#define STACK_MAX_KERNEL 127u /* the default of kernel.perf_event_max_stack */
#define STACK_MAX_FRAMES (STACK_MAX_USER + STACK_MAX_KERNEL + 2u)

/*
 * Says how a stack ended. Everything except the first is a cut: the frames on the leaf side are
 * kept, and a frame of MODULE_CUT gives the reason why the rest is missing. Users read the text.
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
	X(STACK_SWITCH, "continued on another stack")                           \
	X(STACK_UNREAD, "file could not be read in time")                       \
	X(STACK_OUTSIDE, "process outside of cprof's PID namespace")            \
	X(STACK_HIDDEN, "return address hidden by a return probe")              \
	X(STACK_TABLES_FULL, "unwind tables are full")                          \
	X(STACK_NO_CALLER, "return address of 0 in the middle of a stack")

#define STACK_END_ENUM_(name, text) name,
enum stack_end { STACK_ENDS(STACK_END_ENUM_) STACK_END_COUNT };
#undef STACK_END_ENUM_

#define STACK_WINDOW 32u /* in words */

/* Says where user code is, or was when it made a call; a walk begins and continues with it. */
struct user_regs {
	u64 pc, sp;
	u64 fp; /* the frame pointer */
	u64 callee; /* one more register that callees save */
	/* general registers of the leaf, or of the code that a signal interrupted, by DWARF number;
	 * those of the present frame while `known` */
	u64 by_dwarf[ARCH_USER_REGS];
	u32 known; /* set at the leaf and after a signal frame */
	u32 callee_known;
	u32 exact; /* pc is where it runs and not a return address */
	u32 pad;
};

/* Holds what the walk of one stack needs and leaves behind. */
/* What a mapping of a process is. */
struct vma_found {
	u64 start, end, offset, inode;
	u32 executable;
	u32 pad;
};

struct stack_walk {
	struct user_regs regs;
	/* the registers of a signal frame, for one; a struct module_record fits */
	u64 scratch[ARCH_SIGNAL_WORDS];
	u64 window[STACK_WINDOW]; /* a part of the stack, read ahead */
	u64 window_at; /* its address; all ones if it is empty */
	u64 trampoline; /* what return probes put in place of return addresses; 0 if not known */
	/* sp that the last cgocallback saved before its own; 0 if none was seen yet */
	u64 go_system_sp;
	u64 memo_salt; /* modules_state.memo_salt */
	u64 hash; /* of frames[0..nframes) */
	u32 nframes; /* kernel frames come first */
	u32 end; /* enum stack_end */
	u32 missing_module; /* the last address is in a file whose table is not loaded yet */
	u32 has_anon; /* some frame is JIT code, so the stack has a meaning in its process only */
	u32 mm_set; /* which cached mappings belong to this address space */
	u32 switches; /* how often the walk has gone on at a lower address */
	u32 unnamed; /* the last address is in a mapping without a file of its own */
	u32 scan; /* number of the stack's word, plus one, that step_interpreter() looks at next */
	struct vma_found found; /* the last one that was looked up, as the BPF stack is small */
	u64 frames[STACK_MAX_FRAMES];
};

_Static_assert(STACK_MAX_KERNEL + STACK_MAX_USER < STACK_MAX_FRAMES, "the cut mark fits");
_Static_assert(sizeof(struct stack_walk) < 32768, "per-CPU map values end at 32 KiB");

#endif
