/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular files that others may have put where they are. Nothing else is opened for real: opening a FIFO
 * may block, opening a device may do things, and a terminal may become ours.
 */
#ifndef CPROF_BASE_REGULAR_FILE_H
#define CPROF_BASE_REGULAR_FILE_H

#include "base/readers.h"

/* A file of this machine, for reading: a descriptor, -EINVAL (not a regular file) or another errno. */
int regular_file_open(const char *path) MUST_CHECK;

/*
 * The same by a reader, as the file may lie where nobody answers. `readers` NULL: by this process. As
 * readers_open().
 */
int regular_file_input(struct readers *readers, const char *path,
		       struct input_file *out) MUST_CHECK;

/* The same for what an O_PATH descriptor stands for, which stays open. */
int regular_file_reopen(int path_fd) MUST_CHECK;

#endif
