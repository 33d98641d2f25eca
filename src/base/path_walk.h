/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolves a path component by component, as root must in directories that other users can write
 * to. A symbolic link is followed only if root, the effective user or the invoker owns it. The
 * kernel's own rule (fs.protected_symlinks) covers only sticky directories.
 */
#ifndef CPROF_BASE_PATH_WALK_H
#define CPROF_BASE_PATH_WALK_H

#include <sys/stat.h>

#include "base/types.h"

/* Describes where a path ends: its directory, its last component, and what is there now. */
struct path_end {
	int dir; /* O_PATH; -1 if it is not open */
	/* O_PATH of what `name` is in `dir`, which is the link itself and not its target; -1 if
	 * nothing is there */
	int fd;
	struct stat st; /* of `fd` */
	char name[256]; /* "" if the path does not name a file ("/", "a/..") */
};

/*
 * Returns 0; -EPERM if a link on the way belongs to another user; -ENOENT if a directory is
 * missing; -EISDIR if `path` ends in a slash; or another negative errno. Release `end` in any case.
 */
int path_walk(const char *path, struct path_end *end) MUST_CHECK;

/* Finds where the symbolic link `link` leads. Errors are those of path_walk; release `aim` in any
 * case. */
int path_walk_link(const struct path_end *link, struct path_end *aim) MUST_CHECK;

/* Returns whether this is a link of procfs that leads to a file a process has open (/proc/PID/fd/1)
 * and not to a path. */
bool path_end_is_open_file(const struct path_end *end);

void path_end_release(struct path_end *end);

#endif
