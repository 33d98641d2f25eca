/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says how the allocations of the programs that a command runs were seen: by the sampler that
 * cprof preloads, or by probes where that sampler is not in front of the allocator (in a static
 * program, one that has its own malloc, or one whose environment was cleared). Most of these
 * have their probes before they begin. Others get them some milliseconds later, and may end
 * before any of their calls is seen. Such programs are named.
 */
#ifndef CPROF_COLLECT_SEEN_PROGRAMS_H
#define CPROF_COLLECT_SEEN_PROGRAMS_H

#include <pthread.h>

#include "base/bpf_shared.h"
#include "base/hash.h"
#include "base/lines.h"
#include "profile/profile.h"

struct seen_program {
	pid_t tgid;
	char comm[16];
};

#define SEEN_NAMES_MAX 8

/* The first few programs of one sort, and how many there were. */
struct seen_names {
	struct seen_program first[SEEN_NAMES_MAX];
	u64 n;
};

/* A process of the command. */
struct running_program {
	pid_t tgid;
	u64 began_ns; /* when its program began, in CLOCK_MONOTONIC ns; 0 if that is not known */
	u64 probed_ns; /* when that had its first probes; 0 if it has none */
	u64 placed_ns; /* when the process last got probes, perhaps before its program is known */
	bool expected; /* the next program has its probes before it begins */
	UT_hash_handle hh;
};

struct seen_programs {
	pthread_mutex_t lock;
	struct seen_names probed, unseen;
	struct seen_names late; /* those of `probed` that began without probes */
	u64 late_ns; /* the time until these had probes */
	u64 sampled;
	struct running_program *running;
	u32 nrunning, prune_at;
};

void seen_programs_init(struct seen_programs *s);
void seen_programs_release(struct seen_programs *s);

/* ---- what happens to a process, in this order; any thread may call these ---- */

/* Its next program has its probes already. */
void seen_programs_expect(struct seen_programs *s, pid_t tgid);
/* It runs another program since `time`, which has its probes already if `probed` is set. */
void seen_programs_begin(struct seen_programs *s, pid_t tgid, u64 time, bool probed);
/* Its program has probes now. */
void seen_programs_place(struct seen_programs *s, pid_t tgid, u64 time);
/* Its program, which had no sampler, has ended. */
void seen_programs_add(struct seen_programs *s, const struct new_process *program);

/* Adds those that still run, from the BPF map of the targets. Call it once, at the end. Returns 0
 * or -ENOMEM. */
int seen_programs_add_running(struct seen_programs *s, int targets_fd) MUST_CHECK;
/* Sets how many programs began with the sampler in front of their allocator. */
void seen_programs_set_sampled(struct seen_programs *s, u64 n);

/* Adds lines if not all programs were seen by the sampler. */
void seen_programs_summary(struct seen_programs *s, struct lines *out);
/* Adds the same as comments. Returns 0 or a negative errno. */
int seen_programs_comments(struct seen_programs *s, struct profile *p) MUST_CHECK;

#endif
