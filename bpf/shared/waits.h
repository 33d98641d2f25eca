/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Defines what cprof block, mutex, offcpu and wall share with their programs. */
#ifndef CPROF_BPF_SHARED_WAITS_H
#define CPROF_BPF_SHARED_WAITS_H

#include "records.h"

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
	X(WAIT_IO_URING, "io_uring") \
	X(WAIT_OTHER, "other")

#define WAIT_ENUM_(name, text) name,
enum wait_cause { WAIT_CAUSES(WAIT_ENUM_) WAIT_CAUSE_COUNT };
#undef WAIT_ENUM_

/* Says how a wait for a lock ended. */
enum wait_outcome {
	WAIT_OUTCOME_NONE, /* not requested */
	WAIT_ACQUIRED, /* woken by the thread that released the lock */
	WAIT_TIMEOUT,
	WAIT_INTERRUPTED, /* ended by a signal */
	WAIT_UNFINISHED, /* still waiting when the recording ended */
	WAIT_OWNED, /* no end: the stack is that of the owner while others waited */
};

enum wait_mode { /* bits that say what the programs record */
		 WAIT_MODE_OFFCPU = 1, /* all time off the CPU, by cause */
		 WAIT_MODE_BLOCK = 2, /* lock waits, by the waiter's stack */
		 WAIT_MODE_MUTEX = 4, /* lock waits, by the waker's stack */
		 WAIT_MODE_LOCKS = WAIT_MODE_BLOCK | WAIT_MODE_MUTEX,
		 WAIT_MODE_OWNERS = 8, /* with MUTEX: also what the owner did meanwhile */
		 WAIT_MODE_WAKERS = 16, /* with OFFCPU: also by the waker's stack */
};

/*
 * What sample_key.object says of a wait for a lock that is not a futex. No futex has such an
 * address, because nothing is mapped below vm.mmap_min_addr, which is 4,096 at least.
 */
enum other_lock {
	LOCK_FLOCK = 1, /* flock() */
	LOCK_FCNTL, /* fcntl(), lockf(): a range of a file */
	LOCK_SEMOP, /* a System V semaphore */
	LOCK_ADDRESSES = 16, /* from here on it is an address */
};

#define WAKER_STACK ~0ull /* sample_key.object of a waker's frames */

struct wait_config { /* written once, before the programs are loaded */
	u64 min_ns; /* shorter waits are not counted */
	u32 mode; /* enum wait_mode */
	u32 pad;
};

/* Says what a thread of the target is doing; there is one per thread, by tid. */
struct thread_wait {
	u64 since; /* bpf_ktime_get_ns() when it got or left the CPU */
	u64 woken; /* when it became runnable again; 0 if it has not */
	u64 early; /* when it was last woken while it was still on its CPU */
	struct sample_key key; /* of the stack with which it left; .cause says why */
	u16 running;
	u16 counted; /* the key is valid */
	u16 cause; /* enum wait_cause */
	u16 slept; /* the last cause that was not WAIT_RUNNABLE */
	u16 outcome; /* enum wait_outcome, once it has been woken */
	u16 timed; /* the lock wait has a timeout */
	u16 queued; /* it is among the lock's waiters */
	u16 retries; /* a thread woken from this wait may have to wait again */
	u64 object; /* the lock */
	u64 sp; /* its stack pointer when it left */
	/*
	 * A wait for a lock that is over, unless the thread continues it after a signal, or because
	 * another thread was faster. In that case `first` stays.
	 */
	struct sample_key past;
	u64 past_sp;
	u64 first, came; /* when it began (mutex: was woken; 0 for none) and when it was over */
	u64 ran; /* time on the CPU since then */
	u64 waker; /* offcpu: the number of its waker's stack */
	/* mutex: a lock that it owned when another thread began to wait; its stack is wanted */
	u64 asked;
	struct global_pid tgid;
	struct proc_pid proc_tgid, proc_tid;
	struct inner_pid inner; /* the number that the lock's memory shows if this thread owns it */
	u32 released; /* it has woken a waiter of past.object since */
	u32 pad;
};

#define LOCK_SLOTS 16384u /* a power of two */

/* A lock with waiters, or that had some. The thread that releases it is charged with the time of
 * all of them. */
struct lock_slot {
	u64 object; /* the lock; 0 if never used */
	struct global_pid tgid;
	/* in the first slot of a set: a CPU is assigning one of them to another lock */
	u32 set_busy;
	/* of its waiters (lock_queue.h); 0 if there are none, and then the slot may be reused */
	u64 queue;
	u64 released; /* time of the last release */
	u64 owned_object; /* the lock whose owner's stack is `owner`; 0 if not known */
	struct sample_key owner;
};

#define OWNER_WORD 2 /* index in glibc's pthread_mutex_t, as in u32: lock, count, owner */

/*
 * A thread that was already asleep when the recording began, from an iterator. User space copies
 * and walks its stack, and keeps the frames under the ticket that its wait has in the kernel.
 */
struct thread_record {
	struct sample_key key; /* .stack is the ticket */
	struct thread_id thread;
	struct user_regs regs;
	u32 nframes; /* number of kernel frames */
	u32 user; /* there are user frames, and they are wanted */
	u64 frames[STACK_MAX_KERNEL + 1];
};

_Static_assert(sizeof(struct thread_wait) == 192, "map values have no padding");

#endif
