/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The one contract between the programs in the kernel and user space: settings here, and in shared/ how numbers of
 * processes, unwind rows, stacks, records and counters look in memory, and what each kind adds.
 *
 * Included by bpf/<kind>.bpf.c, by src/ and by the tests, so it holds fixed-width types only. Before
 * it is included, u8..s64 must be known (vmlinux.h in BPF, <linux/types.h>-style typedefs in
 * src/base/types.h).
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

#endif
