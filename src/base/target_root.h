/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root directory of a process and whose it is. Everything that is opened by a path in there goes
 * through target_root_open: the path and what lies at it are the process' choice.
 */
#ifndef CPROF_BASE_TARGET_ROOT_H
#define CPROF_BASE_TARGET_ROOT_H

#include "base/file_user.h"

struct target_root {
	int fd; /* O_PATH; -1: none, the process is gone */
	bool ours; /* this machine's, with our own rights: nobody else chose what is there */
	struct file_user user; /* of the process; not read when `ours` */
};

#define TARGET_ROOT_NONE ((struct target_root){.fd = -1})

/* Our own root directory. Release it. */
int target_root_ours(struct target_root *root) MUST_CHECK;

enum target_path {
	TARGET_PATH_LINKS, /* symbolic links are followed, within the root */
	TARGET_PATH_NO_LINKS,
};

/*
 * A regular file below the root, for reading, opened with the rights of the process' user. -ENOENT also when
 * there is no root; -EACCES: that user may not read it; -ELOOP: a symbolic link where none is followed; -EINVAL:
 * not a regular file. Procfs' links, which lead out of any root, are never followed.
 */
int target_root_open(const struct target_root *root, const char *path,
		     enum target_path links) MUST_CHECK;

void target_root_release(struct target_root *root);

#endif
