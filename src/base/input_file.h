/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A regular file to read from. It is read through our own descriptor, or, if its file system may
 * not answer, through a process that copies the requested parts (readers.h).
 */
#ifndef CPROF_BASE_INPUT_FILE_H
#define CPROF_BASE_INPUT_FILE_H

#include <sys/types.h>

#include "base/bytes.h"

struct served_file;

struct input_file {
	int fd; /* -1 if the file is served */
	struct served_file *served; /* NULL if the file has a descriptor here */
	u64 size, stored; /* in bytes; `stored` is what the file occupies on disk */
	u64 inode;
	u32 dev_major, dev_minor;
	uid_t uid;
	u32 links; /* the number of its names */
};

#define INPUT_FILE_NONE ((struct input_file){.fd = -1})

/* Takes over an open descriptor of a regular file. It closes the descriptor and returns -EINVAL if
 * it is of another type. */
int input_file_of(int fd, struct input_file *out) MUST_CHECK;
void input_file_close(struct input_file *f);

/* Reads as pread(2) does, but a read is short only at the end of the file. Errors are -ETIMEDOUT,
 * -EIO and others. */
ssize_t input_file_read(struct input_file *f, void *out, size_t len, u64 at) MUST_CHECK;

/*
 * Returns the bytes of a served file. They cover its whole size, but only the parts fetched before
 * hold the contents of the file. It is empty for a file with a descriptor.
 */
struct bytes input_file_image(const struct input_file *f);
/* Makes sure that this part of the image is there. It returns 0 also for a file with a
 * descriptor. */
int input_file_fetch(struct input_file *f, u64 at, u64 len) MUST_CHECK;

#endif
