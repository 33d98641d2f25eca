/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Defines what cprof mutex --holds shares with its programs, which probe lock functions. */
#ifndef CPROF_BPF_SHARED_HOLDS_H
#define CPROF_BPF_SHARED_HOLDS_H

#include "records.h"

enum lock_function {
	HOLD_NONE,
	HOLD_LOCK, /* takes the lock, sooner or later */
	HOLD_TRY, /* takes it if it is free */
	HOLD_UNLOCK,
	HOLD_WAIT, /* a condition variable: releases the lock and takes it again */
};

enum hold_kind { HOLD_MUTEX, HOLD_RWLOCK, HOLD_SPIN, HOLD_SEMAPHORE };

/*
 * The cookie of a probe says what the function does, to what kind of lock, and in which words of
 * struct pt_regs the lock and the condition variable are.
 */
#define HOLD_COOKIE(function, kind, lock, cond) \
	((u64)(function) | (u64)(kind) << 8 | (u64)(lock) << 16 | (u64)(cond) << 24)
/* the lock's words are not laid out as in glibc, so they are not read */
#define HOLD_OPAQUE (1ull << 32)
#define HOLD_BEGUN (1ull << 33) /* the probe comes after the instruction that takes a spin lock */
#define HOLD_STEPPED (1ull << 34) /* the kernel single-steps the probed instruction */
#define HOLD_COOKIE_FN(cookie) ((u32)(cookie)&0xff)
#define HOLD_COOKIE_KIND(cookie) ((u32)((cookie) >> 8) & 0xff)
#define HOLD_COOKIE_LOCK(cookie) ((u8)((cookie) >> 16))
#define HOLD_COOKIE_COND(cookie) ((u8)((cookie) >> 24))

#define HOLD_CAUSE(kind) \
	((u16)((kind) + 1)) /* sample_key.cause; .outcome is 1 if the lock was contended */

struct held_key {
	u64 object;
	struct global_pid tgid, tid;
};

struct held {
	u64 since;
	struct sample_key key; /* of the stack that took it */
	u64 cond; /* the condition variable that is waited for first; 0 for none */
	u64 older, newer; /* other locks that the thread holds; 0 for none */
	u16 contended; /* another thread held it, or this thread had to sleep */
	u8 kind; /* enum hold_kind */
	u8 opaque; /* HOLD_OPAQUE */
	u32 depth; /* of a recursive mutex */
	struct proc_pid proc_tgid;
	struct inner_pid inner; /* the number of the thread as the lock's memory shows it */
};

_Static_assert(sizeof(struct held) == 80, "map values have no padding");

#endif
