/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sampling events of perf mode, one per thread and CPU. The threads (and processes) that a
 * thread creates later inherit them. Only because of that must each be bound to a CPU: the kernel
 * refuses a ring for an inherited event that is not (perf_mmap in kernel/events/core.c).
 */
#ifndef CPROF_COLLECT_PERF_TASKS_H
#define CPROF_COLLECT_PERF_TASKS_H

#include "collect/collector.h"
#include "collect/perf/perf_rings.h"

struct perf_tasks;

struct perf_tasks_options {
	const struct event_desc *event;
	u32 frequency; /* Hz */
	u32 stack_bytes; /* copied with each sample; a multiple of 8, below 64 KiB */
	bool children; /* processes that a thread forks are sampled as well */
};

/* `rings` is borrowed. */
int perf_tasks_new(const struct perf_tasks_options *opt, const struct perf_rings *rings,
		   struct perf_tasks **out) MUST_CHECK;
void perf_tasks_free(struct perf_tasks *t);

/* Opens events for thread `tid`, without starting them. Returns -ESRCH if it is gone, or -EEXIST if
 * it has them already. */
int perf_tasks_add(struct perf_tasks *t, pid_t tid, struct error *err) MUST_CHECK;
/* Samples everything on the machine, or what runs in a cgroup (given by its directory); needs
 * privileges. */
int perf_tasks_add_machine(struct perf_tasks *t, struct error *err) MUST_CHECK;
int perf_tasks_add_cgroup(struct perf_tasks *t, int cgroup_fd, struct error *err) MUST_CHECK;

int perf_tasks_start(struct perf_tasks *t, struct error *err) MUST_CHECK;
void perf_tasks_stop(struct perf_tasks *t);

/* Returns whether time in the kernel is sampled, with call chains. The first event that is opened
 * decides. */
bool perf_tasks_kernel(const struct perf_tasks *t);

/*
 * A thread that starts while we list threads may both have inherited an event and been given one.
 * It is true for the samples (by their event's id) of the one that is not counted.
 */
bool perf_tasks_is_double(const struct perf_tasks *t, u32 tid, u64 id);
/* The thread has ended, and another one may get its number. */
void perf_tasks_forget(struct perf_tasks *t, u32 tid);

#endif
