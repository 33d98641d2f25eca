/* SPDX-License-Identifier: Apache-2.0 */
/* Resolves an output path: see destination.h. */
#include "format/destination.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/invoker.h"

/* Device numbers are listed in Documentation/admin-guide/devices.txt. */
enum {
	MAJOR_MEMORY = 1,
	MAJOR_TTY = 4,
	MAJOR_TTY_AUX = 5,
	MAJOR_PTS_FIRST = 136,
	MAJOR_PTS_LAST = 143
};
enum { MINOR_NULL = 3, MINOR_ZERO = 5, MINOR_FULL = 7 };

/* Returns the N of "/dev/fd/N"; -1 for other paths. */
static int fd_in_path(const char *path)
{
	static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};

	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		size_t len = strlen(folders[i]), digits;

		if (strncmp(path, folders[i], len) != 0)
			continue;
		digits = strspn(path + len, "0123456789");
		if (digits && digits < 7 && !path[len + digits])
			return atoi(path + len);
	}
	return -1;
}

bool destination_is_stdout(const char *path)
{
	return !strcmp(path, "-") || !strcmp(path, "/dev/stdout");
}

static int named_fd(const char *path)
{
	if (destination_is_stdout(path))
		return STDOUT_FILENO;
	if (!strcmp(path, "/dev/stderr"))
		return STDERR_FILENO;
	return fd_in_path(path);
}

static int check_fd(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	return (flags & O_ACCMODE) == O_RDONLY || (flags & O_PATH) ? -EBADF : 0;
}

static bool is_harmless_device(const struct stat *st)
{
	unsigned int major_number = major(st->st_rdev), minor_number = minor(st->st_rdev);

	if (!S_ISCHR(st->st_mode))
		return false;
	if (major_number == MAJOR_MEMORY)
		return minor_number == MINOR_NULL || minor_number == MINOR_ZERO ||
		       minor_number == MINOR_FULL;
	return major_number == MAJOR_TTY || major_number == MAJOR_TTY_AUX ||
	       (major_number >= MAJOR_PTS_FIRST && major_number <= MAJOR_PTS_LAST);
}

/*
 * In a directory like /tmp another user may have put a FIFO where a file was expected, in order to
 * receive the profile (fs.protected_fifos in the kernel's sysctl documentation is the same rule).
 */
static bool is_planted(const struct path_end *end)
{
	struct stat dir;

	if (!S_ISFIFO(end->st.st_mode) || invoker_trusts(end->st.st_uid))
		return false;
	if (fstat(end->dir, &dir))
		return true;
	return (dir.st_mode & S_ISVTX) && (dir.st_mode & (S_IWGRP | S_IWOTH)) &&
	       dir.st_uid != end->st.st_uid;
}

/* Handles what is neither a link nor a regular file. */
static int judge(struct destination *d, const struct path_end *end, struct error *err)
{
	if (S_ISDIR(end->st.st_mode))
		return error_set(err, -EISDIR, "cannot write %s: is a directory", d->path);
	if (is_planted(end))
		return 0;
	if (!S_ISFIFO(end->st.st_mode) && !is_harmless_device(&end->st))
		return error_set(err, -EINVAL,
				 "cannot write %s: it is a %s (only files, FIFOs, terminals and "
				 "/dev/null are written)",
				 d->path, S_ISSOCK(end->st.st_mode) ? "socket" : "device");
	d->kind = DESTINATION_STREAM;
	return 0;
}

/*
 * If the link belongs to the user, a device or a FIFO behind it is meant to be used, and so is a
 * file that a process of the user has open. A link to a file, to nothing, or of another user is
 * replaced.
 */
static int judge_link(struct destination *d, struct error *err)
{
	bool open_file = path_end_is_open_file(&d->end);
	struct path_end aim;
	int code = 0;

	if (path_walk_link(&d->end, &aim) || aim.fd < 0)
		d->kind = DESTINATION_FILE;
	else if (!S_ISREG(aim.st.st_mode))
		code = judge(d, &aim, err);
	else if (open_file)
		d->kind = DESTINATION_STREAM;
	if (!code && d->kind == DESTINATION_STREAM) {
		path_end_release(&d->end);
		d->end = aim;
	} else {
		path_end_release(&aim);
	}
	return code;
}

static int check_access(const struct destination *d)
{
	const struct path_end *end = &d->end;

	/* A file that is not writable is refused, although a rename would replace it, because
	 * somebody meant it to stay. */
	if (end->fd >= 0 && faccessat(end->dir, end->name, W_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW))
		return -errno;
	if (d->kind == DESTINATION_FILE && faccessat(end->dir, ".", W_OK | X_OK, AT_EACCESS))
		return -errno;
	return 0;
}

static int explain(struct error *err, int code, const char *path)
{
	if (code == -EPERM)
		return error_set(err, code,
				 "cannot write %s: a symbolic link of another user is in that path "
				 "(name the directory that is meant)",
				 path);
	return error_set(err, code, "cannot write %s: %s", path, error_reason(code));
}

int destination_open(struct destination *d, const char *path, struct error *err)
{
	int code;

	*d = (struct destination){.path = path, .fd = named_fd(path), .end = {.dir = -1, .fd = -1}};
	if (d->fd >= 0) {
		d->kind = DESTINATION_DESCRIPTOR;
		code = check_fd(d->fd);
		return code ? explain(err, code, path) : 0;
	}
	code = path_walk(path, &d->end);
	if (code)
		return explain(err, code, path);
	if (d->end.fd >= 0 && S_ISLNK(d->end.st.st_mode))
		code = judge_link(d, err);
	else if (d->end.fd >= 0 && !S_ISREG(d->end.st.st_mode))
		code = judge(d, &d->end, err);
	if (code)
		return code;
	code = check_access(d);
	return code ? error_set(err, code, "cannot write %s: %s", path, error_reason(code)) : 0;
}

void destination_release(struct destination *d)
{
	path_end_release(&d->end);
}
