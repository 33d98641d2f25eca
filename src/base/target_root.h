/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root directory of a process and the user that it belongs to. Everything that is opened by a
 * path in there goes through target_root_open, because the process chooses the path and what lies
 * at it.
 */
#ifndef CPROF_BASE_TARGET_ROOT_H
#define CPROF_BASE_TARGET_ROOT_H

#include "base/file_user.h"
#include "base/readers.h"

struct target_root {
	int fd; /* O_PATH; -1 if there is none because the process is gone */
	/* the root of this machine, opened with our own rights, as nobody else chose its
	 * contents */
	bool ours;
	struct file_user user; /* of the process; not set if `ours` */
	struct readers
		*readers; /* opens files there, as they may not answer; NULL if this process does */
};

#define TARGET_ROOT_NONE ((struct target_root){.fd = -1})

/* Gives our own root directory. Release it. */
int target_root_ours(struct target_root *root) MUST_CHECK;

enum target_path {
	TARGET_PATH_LINKS, /* follow symbolic links within the root */
	TARGET_PATH_NO_LINKS,
};

/*
 * Opens a regular file below the root for reading, with the rights of the process' user. Returns
 * -ENOENT also if there is no root; -EACCES if that user may not read it; -ELOOP for a symbolic
 * link where none is followed; -EINVAL if it is not a regular file. Links of procfs, which lead out
 * of any root, are never followed.
 */
int target_root_open(const struct target_root *root, const char *path,
		     enum target_path links) MUST_CHECK;

/*
 * Opens the same through root->readers, so the file may lie on any file system. Errors are those of
 * readers_open() and those above.
 */
int target_root_input(const struct target_root *root, const char *path, enum target_path links,
		      struct input_file *out) MUST_CHECK;

/*
 * Packs a root to be sent to a reader. It writes the user to `out`, from which target_root_unpack
 * restores the root around another descriptor. Returns the bytes used, or -E2BIG. The unpacked root
 * borrows its groups from `packed`.
 */
ssize_t target_root_pack(const struct target_root *root, void *out, size_t size) MUST_CHECK;
ssize_t target_root_unpack(const void *packed, size_t size, int fd,
			   struct target_root *root) MUST_CHECK;

void target_root_release(struct target_root *root);

#endif
