/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens regular files at paths where others may have put something else. Any other type of file is
 * never opened for real, because opening a FIFO may block, opening a device may have effects, and a
 * terminal may become our controlling one.
 */
#ifndef CPROF_BASE_REGULAR_FILE_H
#define CPROF_BASE_REGULAR_FILE_H

#include "base/readers.h"

/* Opens a file of this machine for reading. Returns a descriptor, -EINVAL if it is not a regular
 * file, or another errno. */
int regular_file_open(const char *path) MUST_CHECK;

/*
 * Opens the same through a reader, as its file system may not answer. If `readers` is NULL, this
 * process opens it. Errors are those of readers_open().
 */
int regular_file_input(struct readers *readers, const char *path,
		       struct input_file *out) MUST_CHECK;

/* Opens the file behind an O_PATH descriptor, which stays open. */
int regular_file_reopen(int path_fd) MUST_CHECK;

#endif
