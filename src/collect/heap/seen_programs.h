/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says how the allocations of the programs that a command runs were seen: by the sampler that cprof
 * preloads, or by probes where that sampler is not in front of the allocator (in a static program,
 * one that has its own malloc, or one whose environment was cleared). Probes need some
 * milliseconds, so a program may end before any of its calls is seen. Such programs are named.
 */
#ifndef CPROF_COLLECT_SEEN_PROGRAMS_H
#define CPROF_COLLECT_SEEN_PROGRAMS_H

#include <pthread.h>

#include "base/bpf_shared.h"
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

struct seen_programs {
	pthread_mutex_t lock;
	struct seen_names probed, unseen;
	u64 sampled;
};

void seen_programs_init(struct seen_programs *s);
void seen_programs_release(struct seen_programs *s);

/* Adds a program without a sampler, which has ended. Any thread may call it. */
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
