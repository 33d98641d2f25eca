/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Defines keys, counts and the records that BPF programs send. */
#ifndef CPROF_BPF_SHARED_RECORDS_H
#define CPROF_BPF_SHARED_RECORDS_H

#include "numbers.h"
#include "stack.h"

/*
 * Says what is counted together. Fields that the user did not want to distinguish are 0. Cause,
 * outcome and object may only be known after the stack was taken, so frames that are sent with none
 * of them belong to every such key.
 */
struct sample_key {
	u64 stack; /* stack_walk.hash, or a ticket, which is a number made for one stack */
	u64 object; /* bytes of an allocation, address of a lock, or a waker's stack */
	struct global_pid tgid; /* always set if the stack contains JIT frames */
	struct global_pid tid;
	u32 cpu;
	u16 cause; /* enum heap_cause, enum wait_cause, HOLD_CAUSE() */
	u16 outcome; /* enum wait_outcome; for holds 1 if the lock was contended */
};

struct sample_count {
	u64 samples;
	u64 weight; /* sum of the periods: nanoseconds for clocks, events for counters */
};

enum record_kind {
	RECORD_STACK = 1, /* the frames of a key, sent when the key is first counted */
	RECORD_MODULE = 2, /* a mapped file whose table user space should load */
	RECORD_PENDING = 3, /* a stack with such a file; user space walks the rest of it */
};

struct sample_record {
	u32 kind;
	u32 nframes;
	struct sample_key key;
	struct thread_id thread; /* the first one that was seen with it */
	u64 frames[STACK_MAX_FRAMES]; /* only nframes of them are sent */
};

struct module_record {
	u32 kind;
	struct proc_pid tgid; /* a process that maps it */
	/* address of the kernel's inode, which is unique while user space keeps the file open */
	u64 inode;
	u64 start, end, offset; /* of the mapping; the offset is in bytes */
	/* of code that may be moved text, for which .inode is 0: the address space; else 0 */
	u64 mm_id;
};

/*
 * A sample whose walk found a file without a table yet. It comes after the RECORD_MODULE that
 * requested the table, with the registers where the walk stopped and a copy of the stack from
 * there. User space loads the table and continues the walk, so the first moments of a new program
 * or library are not lost.
 */
/*
 * The stack is copied in pieces. A function that uses only a part of a large array leaves pages
 * that are not there, so some pieces are not readable although the stack goes on above them.
 */
#define PENDING_PIECE 1024u
/* Pieces are aligned, so none is partly in a page that is there. */
#define PENDING_FROM(sp) ((sp) & ~(u64)(PENDING_PIECE - 1))
#define PENDING_STACK (16u * PENDING_PIECE)

enum own_stack { /* Says whether it is the stack that the thread began with. */
		 OWN_STACK_UNKNOWN,
		 OWN_STACK_YES,
		 OWN_STACK_NO,
};

struct pending_record {
	u32 kind;
	u32 nframes; /* how many were walked so far */
	struct sample_key key; /* the key that it is counted under; .stack is a ticket */
	struct thread_id thread;
	struct user_regs regs;
	u32 copied; /* bytes of stack, to the end of the last readable piece */
	u32 own_stack; /* enum own_stack, for regs.sp */
	u64 unread; /* a bit for each piece among them that was not readable */
	/* the frames, and then the stack from the piece on that sp is in (PENDING_FROM) */
	u8 data[STACK_MAX_FRAMES * 8 + PENDING_STACK];
};

/* A record of a stack that is deeper than PENDING_STACK. Encoders of video have frames of 20
 * KiB. */
#define PENDING_MORE (48u * PENDING_PIECE)
#define PENDING_SOME (16u * PENDING_PIECE) /* of them, if that is enough */

struct pending_deep {
	struct pending_record record;
	u8 more[PENDING_MORE]; /* continues record.data */
};

_Static_assert((PENDING_STACK + PENDING_MORE) / PENDING_PIECE <= 64, "each piece has a bit");
_Static_assert(sizeof(struct pending_deep) == sizeof(struct pending_record) + PENDING_MORE &&
		       STACK_MAX_FRAMES * 8 % 8 == 0 && PENDING_STACK % 8 == 0,
	       "the copy of the stack goes on without a gap");

/*
 * These counters are per CPU and summed by user space, which logs all of them with -vv. Every way
 * to lose a sample has one.
 */
#define STATS(X)                                                                            \
	X(STAT_TICKS, "times the sampler ran")                                              \
	X(STAT_LATE_TICKS, "periods that a late tick stands for, beyond its own")           \
	X(STAT_SAMPLES, "samples of the target")                                            \
	X(STAT_LOST_RING, "samples lost: ring buffer full")                                 \
	X(STAT_LOST_TABLE, "samples lost: count table full")                                \
	X(STAT_LOST_SCRATCH, "samples lost: interrupted another sample")                    \
	X(STAT_MODULE_MISSES, "tables requested while sampling")                            \
	X(STAT_NANOSECONDS, "time spent taking samples")                                    \
	X(STAT_PENDING, "samples walked on in user space")                                  \
	X(STAT_HEAP_ALLOCS, "calls of allocating functions")                                \
	X(STAT_HEAP_FREES, "calls of freeing functions")                                    \
	X(STAT_HEAP_FREED, "sampled blocks that were freed")                                \
	X(STAT_HEAP_FAILED, "sampled allocations that failed")                              \
	X(STAT_HEAP_DROPPED, "sampled blocks lost: table of live blocks full")              \
	X(STAT_HEAP_SAMPLER_DROPPED, "samples that the preloaded sampler dropped")          \
	X(STAT_HEAP_UNREACHED, "plug-ins that pass the preloaded sampler by")               \
	X(STAT_HEAP_UNFOLLOWED, "sampled allocations whose return is not seen")             \
	X(STAT_HEAP_DECLINED, "allocations while one waits on another stack")               \
	X(STAT_HEAP_UNINHERITED, "children that began without their parent's blocks")       \
	X(STAT_HEAP_RESULTS_NS, "cost of probes where results are known")                   \
	X(STAT_LOST_WAIT, "waits lost: wait table full")                                    \
	X(STAT_RUNNING, "time that threads of the target ran")                              \
	X(STAT_NO_HOLDER, "lock waits that did not end in an unlock")                       \
	X(STAT_NO_HOLDER_TIME, "their time")                                                \
	X(STAT_HOLD_LOCKS, "calls of locking functions")                                    \
	X(STAT_HOLD_UNLOCKS, "calls of unlocking functions")                                \
	X(STAT_HOLD_STEPPED, "of both, those with single-stepped probes")                   \
	X(STAT_LOST_LOCK, "locks whose waiters were not told apart: table full")            \
	X(STAT_LOST_HOLD, "holds whose end was not seen")                                   \
	X(STAT_CREATED_UNFOLLOWED, "created threads that were not followed until they end") \
	X(STAT_FD_CALLS, "calls that may open descriptors")                                 \
	X(STAT_FD_STEPPED, "of them, those with single-stepped probes")                     \
	X(STAT_FD_UNFOLLOWED, "opened descriptors that were not followed: table full")      \
	X(STAT_UNANNOUNCED, "new processes not announced: ring full")                       \
	X(STAT_LOST_TARGET, "processes that are not recorded: table of targets full")

#define STAT_ENUM_(name, text) name,
enum sample_stat { STATS(STAT_ENUM_) STAT_COUNT };
#undef STAT_ENUM_

#define STAT_ENDS_FIRST STAT_COUNT /* followed by one counter for each enum stack_end */
#define STAT_SLOTS (STAT_COUNT + STACK_END_COUNT)

_Static_assert(sizeof(struct module_record) <= ARCH_SIGNAL_WORDS * sizeof(u64), "as stack.h says");
_Static_assert(sizeof(struct sample_key) == 32, "hash keys have no padding");
_Static_assert(sizeof(struct sample_record) % 8 == 0, "ring buffer records are 8-byte multiples");
_Static_assert(__builtin_offsetof(struct pending_record, data) % 8 == 0, "frames are aligned");
_Static_assert(sizeof(struct pending_record) < 32768, "per-CPU map values end at 32 KiB");

#endif
