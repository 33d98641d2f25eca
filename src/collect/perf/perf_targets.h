/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the events of targets' threads, and reads what their processes map. */
#ifndef CPROF_COLLECT_PERF_TARGETS_H
#define CPROF_COLLECT_PERF_TARGETS_H

#include "collect/perf/perf_processes.h"
#include "collect/perf/perf_tasks.h"
#include "target/select.h"

struct perf_targets { /* all borrowed */
	const struct target *target;
	struct perf_tasks *tasks;
	struct perf_processes *processes;
	const struct log *log;
};

/* Adds threads, the machine or a control group. At least one of the processes must still exist. */
int perf_targets_add(const struct perf_targets *t, struct error *err) MUST_CHECK;
/* Reads the mappings of all processes that were named, and of their children. */
void perf_targets_read(const struct perf_targets *t);
void perf_targets_read_process(const struct perf_targets *t, pid_t tgid);

#endif
