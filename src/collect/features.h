/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds out what this kernel lets this user do, by trying it: distributions patch kernels,
 * containers forbid things, and version numbers do not show that.
 */
#ifndef CPROF_COLLECT_FEATURES_H
#define CPROF_COLLECT_FEATURES_H

#include <sys/types.h>

#include "base/types.h"

enum feature_state {
	FEATURE_OK,
	FEATURE_LIMITED, /* it works in part */
	FEATURE_MISSING,
};

#define FEATURES_EVENTS_MAX 16

struct features {
	char release[65]; /* "6.1.0-18-cloud" */
	u32 kernel_major, kernel_minor;
	uid_t euid;
	u64 caps; /* effective, bits of linux/capability.h */
	int bpf_load; /* 0, or the negative errno of loading a one-instruction perf_event program */
	bool btf; /* /sys/kernel/btf/vmlinux */
	bool tp_btf; /* a program on tp_btf/sched_switch loads */
	bool uprobe_pmu, uprobe_multi, uprobe_session; /* 4.17, 6.6, 6.13 */
	int perf_event_paranoid; /* INT_MAX if it cannot be read: no perf events in this kernel */
	u32 perf_max_sample_rate; /* in Hz; 0 if not known */
	int events[FEATURES_EVENTS_MAX]; /* event_available() of each in event_table */
	int kptr_restrict;
	bool kallsyms; /* /proc/kallsyms shows us addresses */
	bool debug_files; /* there are separate debug files below /usr/lib/debug */
	u64 memlock; /* in bytes; UINT64_MAX for no limit */
	int proc; /* proc_fs_check() */
	bool hidepid; /* /proc shows only our own user's processes */
	bool initial_pidns; /* PIDs are those of the kernel */
	bool cpu_bpf; /* cprof cpu --mode bpf can work */
	bool cpu_perf; /* cprof cpu --mode perf can work, at least on our own processes */
};

void features_probe(struct features *f);
/* Probes only what attaching to uprobes depends on: the kernel's version, uprobe_multi and
 * uprobe_session. */
void features_probe_uprobes(struct features *f);
/*
 * Returns whether hash maps can allocate an entry wherever a program runs, also under the
 * scheduler's locks (kernel/bpf/memalloc.c, 6.1). Before, a program could deadlock, and those of
 * perf events were refused. It goes by the version, because trying it could do the same.
 */
bool features_maps_grow(void);
bool features_has_cap(const struct features *f, u32 cap); /* CAP_* */

/* One line for printing about each feature. */
struct feature {
	const char *name;
	enum feature_state state;
	char detail[200]; /* what was found */
	const char *meaning; /* what a limit or its absence means for profiles; NULL if ok */
	const char *remedy; /* a command to be run as root; NULL if there is none */
};

#define FEATURES_LIST_MAX 24

size_t features_list(const struct features *f, struct feature out[FEATURES_LIST_MAX]);

#endif
