/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a file whose size is not known beforehand (procfs says 0) and which may grow meanwhile. */
#include "symbol/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/vec.h"

#define CHUNK (1u << 20)

static int read_all(int fd, size_t max, struct text_file *out)
{
	VEC(char) text = {0};

	*out = (struct text_file){0};
	for (;;) {
		ssize_t got;

		if (text.len >= max) {
			out->cut = true;
			break;
		}
		if (vec_reserve(&text, text.len + CHUNK)) {
			vec_release(&text);
			return -ENOMEM;
		}
		got = read(fd, text.data + text.len, CHUNK);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			int err = -errno;

			vec_release(&text);
			return err;
		}
		if (!got)
			break;
		text.len += (size_t)got;
	}
	out->text = text.data;
	out->len = text.len;
	return 0;
}

int text_file_read_path(const char *path, size_t max, struct text_file *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), err;

	if (fd < 0)
		return -errno;
	err = read_all(fd, max, out);
	close(fd);
	return err;
}
