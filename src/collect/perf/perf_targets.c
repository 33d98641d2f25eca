/* SPDX-License-Identifier: Apache-2.0 */
/* Finds threads and mappings of targets: see perf_targets.h. */
#include "collect/perf/perf_targets.h"

#include <errno.h>

#define LISTING_ROUNDS 16 /* threads are listed until no new ones turn up, but at most this often */

/* Adds one thread. Returns 1 if it is new, 0 if it is already known or gone, or a negative
 * errno. */
static int add_thread(const struct perf_targets *t, pid_t tgid, pid_t tid, struct error *err)
{
	int code = perf_tasks_add(t->tasks, tid, err);

	if (code == -EEXIST || code == -ESRCH)
		return 0;
	if (!code)
		code = perf_processes_add_thread(t->processes, tgid, tid);
	return code ? code : 1;
}

/* Adds all threads of a process, until none is new. Threads that are created in between inherit the
 * events (perf_tasks_is_double). */
static int add_process(const struct perf_targets *t, pid_t tgid, struct error *err)
{
	int added = 1, code = 0;

	for (int round = 0; round < LISTING_ROUNDS && added && code >= 0; round++) {
		pid_vec tids = {0};

		added = 0;
		code = process_threads(tgid, &tids);
		for (size_t i = 0; i < tids.len && code >= 0; i++) {
			code = add_thread(t, tgid, tids.data[i], err);
			added += code > 0;
		}
		vec_release(&tids);
	}
	return code < 0 ? code : 0;
}

static int add_with_children(const struct perf_targets *t, const struct process_info *info,
			     struct error *err)
{
	pid_vec children = {0};
	int code = add_process(t, info->tgid, err);

	/* These were forked after the target was selected, and before its threads had events to
	 * inherit. */
	if (!code && t->target->follow_children && !process_children(info->tgid, &children)) {
		for (size_t i = 0; i < children.len && !code; i++) {
			code = add_process(t, children.data[i], err);
			if (code == -ESRCH)
				code = 0;
		}
	}
	vec_release(&children);
	return code;
}

static int add_processes(const struct perf_targets *t, struct error *err)
{
	const struct target *target = t->target;
	size_t gone = 0;

	vec_for_each(&target->processes, info) {
		int code = add_with_children(t, info, err);

		gone += code == -ESRCH;
		if (code && code != -ESRCH)
			return err && err->code ? code
						: error_set(err, code, "cannot profile PID %d: %s",
							    (int)info->tgid, error_reason(code));
	}
	if (gone && gone == target->processes.len)
		return error_set(err, -ESRCH, "cannot profile PID %d: no such process",
				 (int)target->processes.data[0].tgid);
	return 0;
}

int perf_targets_add(const struct perf_targets *t, struct error *err)
{
	switch (t->target->scope) {
	case TARGET_ALL:
		return perf_tasks_add_machine(t->tasks, err);
	case TARGET_CGROUP:
		return perf_tasks_add_cgroup(t->tasks, t->target->cgroup.fd, err);
	default:
		return add_processes(t, err);
	}
}

void perf_targets_read_process(const struct perf_targets *t, pid_t tgid)
{
	int code = perf_processes_read(t->processes, tgid);

	if (code && code != -ESRCH)
		log_info(t->log, "cannot read the mappings of PID %d: %s", (int)tgid,
			 error_reason(code));
}

void perf_targets_read(const struct perf_targets *t)
{
	vec_for_each(&t->target->processes, info) {
		pid_vec children = {0};

		perf_targets_read_process(t, info->tgid);
		if (t->target->follow_children && !process_children(info->tgid, &children)) {
			vec_for_each(&children, child)
				perf_targets_read_process(t, *child);
		}
		vec_release(&children);
	}
}
