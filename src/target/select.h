/* SPDX-License-Identifier: Apache-2.0 */
/* Turns what the user typed into the tgids or the cgroup to be profiled. */
#ifndef CPROF_TARGET_SELECT_H
#define CPROF_TARGET_SELECT_H

#include "base/error.h"
#include "base/types.h"
#include "target/cgroup.h"
#include "target/process.h"

enum target_scope {
	TARGET_PROCESSES, /* `processes`, and what they fork if follow_children is set */
	TARGET_ALL, /* the whole machine */
	TARGET_CGROUP,
};

struct target {
	enum target_scope scope;
	VEC(struct process_info) processes;
	struct target_cgroup cgroup; /* .fd = -1 unless TARGET_CGROUP */
	bool follow_children;
	/* for headers: "redis-server (PID 4711)", "whole machine", "cgroup /system.slice" */
	char *title;
};

/* Checks that this is a list of PIDs, without looking at any process. Returns 0, or -EINVAL with
 * the text that "12x" is not a PID. */
int target_check_pids(const char *list, struct error *err) MUST_CHECK;
/* Selects "4711" or "4711,4712". Children that already run are added if follow_children is set. */
int target_select_pids(struct target *t, const char *list, bool follow_children,
		       struct error *err) MUST_CHECK;
/*
 * Selects processes whose comm, or the base name of whose exe, is `name` (but never cprof itself).
 * If there are several and `all` is false it returns -EEXIST, and the text lists at most 10 on
 * lines of their own ("4711 redis-server /usr/bin/redis-server *:6379"). Returns -ESRCH if there
 * are none.
 */
int target_select_name(struct target *t, const char *name, bool all, bool follow_children,
		       struct error *err) MUST_CHECK;
int target_select_all(struct target *t, struct error *err) MUST_CHECK;
int target_select_cgroup(struct target *t, const char *path, struct error *err) MUST_CHECK;
void target_release(struct target *t); /* a zeroed one is allowed */

#endif
