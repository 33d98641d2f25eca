/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolves a path component by component, as root must in directories that other users write to: a symbolic
 * link is followed only when root, the effective user or the invoker owns it. The kernel's own rule
 * (fs.protected_symlinks) covers sticky directories alone.
 */
#ifndef CPROF_BASE_PATH_WALK_H
#define CPROF_BASE_PATH_WALK_H

#include <sys/stat.h>

#include "base/types.h"

/* Where a path ends: its directory, its last component, and what lies there now. */
struct path_end {
	int dir; /* O_PATH; -1: not open */
	int fd; /* O_PATH of what `name` is in `dir`, a link itself and not its aim; -1: nothing is there */
	struct stat st; /* of `fd` */
	char name[256]; /* "" for a path that names no file ("/", "a/..") */
};

/*
 * 0; -EPERM: a link on the way belongs to another user; -ENOENT: a directory is missing; -EISDIR: `path`
 * ends in a slash; another negative errno. Release `end` in any case.
 */
int path_walk(const char *path, struct path_end *end) MUST_CHECK;

/* Where the symbolic link that `link` is leads to. Errors as above; release `aim` in any case. */
int path_walk_link(const struct path_end *link, struct path_end *aim) MUST_CHECK;

/* A link of procfs, which leads to what a process has open (/proc/PID/fd/1), not to a path. */
bool path_end_is_open_file(const struct path_end *end);

void path_end_release(struct path_end *end);

#endif
