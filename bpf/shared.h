/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The one contract between the programs in the kernel and user space. This file has the settings.
 * The files in shared/ describe numbers of processes, unwind rows, stacks, records and counters in
 * memory, and what each kind adds.
 *
 * bpf/<kind>.bpf.c, src/ and the tests include it, so it contains only fixed-width types. u8..s64
 * must be defined before it is included (by vmlinux.h in BPF, and by <linux/types.h>-style typedefs
 * in src/base/types.h).
 */
#ifndef CPROF_BPF_SHARED_H
#define CPROF_BPF_SHARED_H

#include "shared/numbers.h"
#include "shared/rows.h"
#include "shared/stack.h"
#include "shared/records.h"
#include "shared/heap.h"
#include "shared/waits.h"
#include "shared/holds.h"
#include "shared/threads.h"
#include "shared/created.h"
#include "shared/fds.h"

enum initial_task { /* what user space wants to know about a process before recording */
		    INITIAL_NONE = 0,
		    INITIAL_TARGET = 1, /* profile it */
		    INITIAL_LIST_ONLY = 2, /* only list its mappings */
};

enum sample_mode {
	SAMPLE_TARGETS = 0, /* the tgids in the targets map */
	SAMPLE_ALL = 1,
	SAMPLE_CGROUP = 2,
};

/* Describes a process of SAMPLE_TARGETS, with its struct global_pid as the key. */
struct target_process {
	struct proc_pid tgid;
	/* In heap recordings, how the allocations of this program are seen: a sampler in the
	 * program has said that it is in front of its allocator, or calls have hit probes. */
	u32 sampled, probed;
	u32 ran; /* it has run a program since it was forked */
	char comm[16]; /* at that time */
};

/* Written once, before the programs are loaded. */
struct sample_config {
	u64 cgroup_id; /* kernfs id of the cgroup's directory */
	u64 clock_period; /* nanoseconds between ticks; 0 if the event is not a clock */
	u32 mode; /* enum sample_mode */
	u32 cgroup_level;
	u32 cgroup_subsys; /* v1: index of the controller; ~0 for the unified hierarchy */
	u32 follow_children;
	u32 by_tgid, by_tid, by_cpu; /* what distinguishes samples */
	u32 user, kernel; /* which frames (and samples) are wanted */
	u32 pidns_nested; /* cprof runs in its own PID namespace, which has this inode */
	u32 pidns_inode;
};

/* Shared while recording, through the mapped .bss. */
struct sample_control {
	u64 live_targets; /* processes of SAMPLE_TARGETS that have not exited */
	u64 active_keys; /* entries made in the active count map since it became active */
	u32 active_counts; /* which count map takes new samples: 0 or 1; user space flips it */
	struct global_pid self_tgid; /* that of cprof, which is left out of SAMPLE_ALL */
};

#endif
