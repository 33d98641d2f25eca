/* SPDX-License-Identifier: Apache-2.0 */
/* A control group directory, v1 or v2, found from what the user typed (cgroups(7)). */
#ifndef CPROF_TARGET_CGROUP_H
#define CPROF_TARGET_CGROUP_H

#include "base/error.h"
#include "base/types.h"

struct target_cgroup {
	int fd; /* O_PATH|O_DIRECTORY; -1 if none is open */
	u64 id; /* inode number of the directory, which is its kernfs id */
	bool v2; /* on the unified hierarchy */
	char controllers[128]; /* v1: "cpu,cpuacct" or "name=systemd" */
	u32 level; /* depth below the hierarchy's root */
};

/*
 * `path` is either a directory of a mounted cgroup file system or a path below the mount points,
 * where v2 is tried first ("/system.slice/ssh.service", "system.slice"). The caller frees `title`.
 * Returns -ENOENT, -EINVAL (a directory, but not one of a cgroup file system) or another negative
 * errno.
 */
int cgroup_open(struct target_cgroup *out, const char *path, char **title,
		struct error *err) MUST_CHECK;
void cgroup_release(struct target_cgroup *c);

/* Writes the path of a directory of the unified hierarchy, given by its inode, below the mount.
 * Returns 0, -ESTALE if it is gone, or another negative errno. */
int cgroup_path_of(u64 id, char *out, size_t size) MUST_CHECK;

#endif
