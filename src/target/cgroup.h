/* SPDX-License-Identifier: Apache-2.0 */
/* A control group directory, v1 or v2, found by what the user typed (cgroups(7)). */
#ifndef CPROF_TARGET_CGROUP_H
#define CPROF_TARGET_CGROUP_H

#include "base/error.h"
#include "base/types.h"

struct target_cgroup {
	int fd; /* O_PATH|O_DIRECTORY; -1: none */
	u64 id; /* inode number of the directory = kernfs id */
	bool v2; /* on the unified hierarchy */
	char controllers[128]; /* v1: "cpu,cpuacct" or "name=systemd" */
	u32 level; /* depth below the hierarchy's root */
};

/*
 * `path` is a directory of a mounted cgroup file system, or a path below the mount points, of which
 * v2's comes first ("/system.slice/ssh.service", "system.slice"). `title` is the caller's to free.
 * -ENOENT, -EINVAL (a directory, but none of a cgroup file system), ...
 */
int cgroup_open(struct target_cgroup *out, const char *path, char **title,
		struct error *err) MUST_CHECK;
void cgroup_release(struct target_cgroup *c);

#endif
