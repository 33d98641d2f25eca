/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root directory of a process and whose it is. Everything that is opened by a path in there goes
 * through target_root_open: the path and what lies at it are the process' choice.
 */
#ifndef CPROF_BASE_TARGET_ROOT_H
#define CPROF_BASE_TARGET_ROOT_H

#include "base/file_user.h"
#include "base/readers.h"

struct target_root {
	int fd; /* O_PATH; -1: none, the process is gone */
	bool ours; /* this machine's, with our own rights: nobody else chose what is there */
	struct file_user user; /* of the process; not read when `ours` */
	struct readers
		*readers; /* who opens files there, as they may not answer; NULL: this process */
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

/*
 * The same by root->readers: what target_root_input opens may lie on any file system. As readers_open(), and
 * -ENOENT and so on as above.
 */
int target_root_input(const struct target_root *root, const char *path, enum target_path links,
		      struct input_file *out) MUST_CHECK;

/*
 * A root as it is sent to a reader: its user in `out`, from which target_root_unpack makes it again around
 * another descriptor. Bytes used, or -E2BIG. What is unpacked lends its groups from `packed`.
 */
ssize_t target_root_pack(const struct target_root *root, void *out, size_t size) MUST_CHECK;
ssize_t target_root_unpack(const void *packed, size_t size, int fd,
			   struct target_root *root) MUST_CHECK;

void target_root_release(struct target_root *root);

#endif
