/* SPDX-License-Identifier: Apache-2.0 */
/* Opens regular files and nothing else: see regular_file.h. */
#include "base/regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int regular_file_reopen(int path_fd)
{
	char name[40];
	struct stat st;
	int fd;

	if (fstat(path_fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", path_fd);
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int regular_file_open(const char *path)
{
	int at = open(path, O_PATH | O_CLOEXEC), fd;

	if (at < 0)
		return -errno;
	fd = regular_file_reopen(at);
	close(at);
	return fd;
}

static int open_for_reader(const void *arg, size_t size, const int *fds, u32 nfds)
{
	(void)size, (void)fds, (void)nfds;
	return regular_file_open(arg);
}

/* What does not answer at one path will not answer at others of its directory. */
static void directory_of(const char *path, char out[PATH_MAX])
{
	const char *slash = path[0] == '/' ? strrchr(path, '/') : NULL;

	/* Everything below the working directory counts as one place. */
	snprintf(out, PATH_MAX, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
}

int regular_file_input(struct readers *readers, const char *path, struct input_file *out)
{
	char directory[PATH_MAX];
	struct file_opener o = {.open = open_for_reader,
				.arg = path,
				.size = strlen(path) + 1,
				.place = directory,
				.path = path};
	int fd;

	*out = INPUT_FILE_NONE;
	if (readers) {
		int err;

		directory_of(path, directory);
		err = readers_open(readers, &o, out);
		if (err != -EAGAIN || !readers_path_is_local(readers, path))
			return err;
	}
	fd = regular_file_open(path);
	return fd < 0 ? fd : input_file_of(fd, out);
}
