/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A regular file to read from: by a descriptor of ours, or, where its file system may not answer, through a
 * process that copies the parts that are asked for (readers.h).
 */
#ifndef CPROF_BASE_INPUT_FILE_H
#define CPROF_BASE_INPUT_FILE_H

#include <sys/types.h>

#include "base/bytes.h"

struct served_file;

struct input_file {
	int fd; /* -1: served */
	struct served_file *served; /* NULL: a descriptor of ours */
	u64 size, stored; /* in bytes; `stored`: what the file takes on disk */
	u64 inode;
	u32 dev_major, dev_minor;
	uid_t uid;
	u32 links; /* names that it has */
};

#define INPUT_FILE_NONE ((struct input_file){.fd = -1})

/* Takes over an open descriptor of a regular file; closes it and returns -EINVAL when it is another. */
int input_file_of(int fd, struct input_file *out) MUST_CHECK;
void input_file_close(struct input_file *f);

/* As pread(2), but what is returned is short at the end of the file only. -ETIMEDOUT, -EIO, ... */
ssize_t input_file_read(struct input_file *f, void *out, size_t len, u64 at) MUST_CHECK;

/*
 * A served file's bytes: all of its size, of which only those hold what the file has that were fetched before.
 * Empty for a file with a descriptor.
 */
struct bytes input_file_image(const struct input_file *f);
/* Makes sure that this part of the image is there. 0, also for a file with a descriptor. */
int input_file_fetch(struct input_file *f, u64 at, u64 len) MUST_CHECK;

#endif
