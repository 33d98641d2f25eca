/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Defines what cprof threadcreate shares with its programs. */
#ifndef CPROF_BPF_SHARED_CREATED_H
#define CPROF_BPF_SHARED_CREATED_H

#include "records.h"

/*
 * Threads and processes count when their names are final. A sample_key has the number of the name
 * in .outcome (0 if there was no space for more names), and one of these in .cause.
 */
enum created_cause {
	CREATED_NONE,
	CREATED_STARTS, /* the leaf frame is the start routine of the thread, which called nobody */
	CREATED_PLAIN, /* the start routine is not known */
	CREATED_BEFORE, /* it existed before; the leaf may be its start routine */
};

/* sample_key.stack of what existed before and has no known start routine. */
#define CREATED_BEFORE_STACK 1ull

/*
 * Says where a C library keeps the start routine of a new thread: the value that
 * bpf/threadcreate.bpf.c finds for the module that makes the system call.
 */
#define CREATED_START_NONE ~0u
#define CREATED_START_ON_STACK ~1u /* musl: the first word on its stack points to it */
#define CREATED_START_MAX 65536u /* other values are offsets in the thread's descriptor */

#define CREATED_MAX_NAMES 16384u
#define CREATED_MAX_LIBRARIES 4096u

struct created_config { /* written once, before the programs are loaded */
	u32 processes; /* forks are recorded in place of threads */
	u32 pad;
};

/* A thread or a process that was created while recording. */
struct created_task {
	struct sample_key key; /* of its creator's stack; cause and outcome are not set yet */
	u32 counted; /* enum created_count */
	u32 cause; /* enum created_cause */
};

enum created_count {
	CREATED_UNCOUNTED,
	CREATED_COUNTED,
	CREATED_LISTED, /* it is alive at the end, and user space counts it */
};

/* One that is alive, from an iterator. */
struct created_record {
	struct sample_key key; /* .stack is 0 if it existed before */
	struct thread_id thread;
	u64 thread_pointer;
	u32 counted; /* its creation has been counted */
	u32 pad;
};

_Static_assert(sizeof(struct created_task) == 40, "map values have no padding");

#endif
