/* SPDX-License-Identifier: Apache-2.0 */
/* Who is to be profiled: what the user typed, turned into tgids or a cgroup. */
#ifndef CPROF_TARGET_SELECT_H
#define CPROF_TARGET_SELECT_H

#include "base/error.h"
#include "base/types.h"
#include "target/cgroup.h"
#include "target/process.h"

enum target_scope {
	TARGET_PROCESSES, /* `processes` (and, with follow_children, what they fork) */
	TARGET_ALL, /* the whole machine */
	TARGET_CGROUP,
};

struct target {
	enum target_scope scope;
	VEC(struct process_info) processes;
	struct target_cgroup cgroup; /* .fd = -1 unless TARGET_CGROUP */
	bool follow_children;
	char *title; /* "redis-server (PID 4711)", "whole machine", "cgroup /system.slice": for headers */
};

/* Is it a list of PIDs at all? 0, or -EINVAL: "12x" is not a PID. Looks at no process. */
int target_check_pids(const char *list, struct error *err) MUST_CHECK;
/* "4711" or "4711,4712". Children that already run are added when follow_children. */
int target_select_pids(struct target *t, const char *list, bool follow_children,
		       struct error *err) MUST_CHECK;
/*
 * Processes whose comm or exe's base name is `name` (cprof itself never). Several without `all`: -EEXIST, and the
 * text lists them on lines of their own ("4711 redis-server /usr/bin/redis-server *:6379", at most 10). None: -ESRCH.
 */
int target_select_name(struct target *t, const char *name, bool all, bool follow_children,
		       struct error *err) MUST_CHECK;
int target_select_all(struct target *t, struct error *err) MUST_CHECK;
int target_select_cgroup(struct target *t, const char *path, struct error *err) MUST_CHECK;
void target_release(struct target *t); /* a zeroed one is fine */

#endif
