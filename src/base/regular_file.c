/* SPDX-License-Identifier: Apache-2.0 */
/* Opens regular files and nothing else: see regular_file.h. */
#include "base/regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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
