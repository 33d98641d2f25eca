/* SPDX-License-Identifier: Apache-2.0 */
/* Reads from a descriptor or from what a reader process has copied: see input_file.h. */
#include "base/input_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/served_file.h"

int input_file_of(int fd, struct input_file *out)
{
	struct stat st;

	*out = INPUT_FILE_NONE;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	*out = (struct input_file){.fd = fd,
				   .size = (u64)st.st_size,
				   .stored = (u64)st.st_blocks * 512,
				   .inode = st.st_ino,
				   .dev_major = major(st.st_dev),
				   .dev_minor = minor(st.st_dev),
				   .uid = st.st_uid,
				   .links = (u32)st.st_nlink};
	return 0;
}

void input_file_close(struct input_file *f)
{
	if (f->served)
		served_file_free(f->served);
	else if (f->fd >= 0)
		close(f->fd);
	*f = INPUT_FILE_NONE;
}

static ssize_t read_served(struct input_file *f, void *out, size_t len, u64 at)
{
	int err;

	if (at >= f->size)
		return 0;
	if (len > f->size - at)
		len = (size_t)(f->size - at);
	err = served_file_fetch(f->served, at, len);
	if (err)
		return err;
	memcpy(out, served_file_image(f->served).data + at, len);
	return (ssize_t)len;
}

ssize_t input_file_read(struct input_file *f, void *out, size_t len, u64 at)
{
	size_t done = 0;

	if (f->served)
		return read_served(f, out, len, at);
	while (done < len) {
		ssize_t got = pread(f->fd, (u8 *)out + done, len - done, (off_t)(at + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

struct bytes input_file_image(const struct input_file *f)
{
	return f->served ? served_file_image(f->served) : (struct bytes){0};
}

int input_file_fetch(struct input_file *f, u64 at, u64 len)
{
	return f->served ? served_file_fetch(f->served, at, len) : 0;
}
