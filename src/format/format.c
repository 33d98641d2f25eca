/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of formats, and files that appear whole or not at all.
 *
 * A file is written without a name where the filesystem can do that (O_TMPFILE, open(2)), so that even
 * a kill -9 in mid-write leaves nothing behind; elsewhere under a temporary name beside its place.
 */
#include "format/format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MODE 0644
#define NAME_TRIES 100u

const struct format *const format_table[] = {
	&format_pprof,      &format_folded,  &format_text,   &format_html, &format_svg,
	&format_speedscope, &format_firefox, &format_chrome, NULL,
};

const struct format *format_by_name(const char *name)
{
	for (const struct format *const *f = format_table; *f; f++) {
		if (!strcmp((*f)->name, name))
			return *f;
	}
	return NULL;
}

/* The length of the suffix when `path` ends in it and has something before it, else 0. */
static size_t suffix_fits(const char *path, const char *suffix)
{
	size_t len = strlen(path), tail = suffix ? strlen(suffix) : 0;

	return tail && len > tail && !strcmp(path + len - tail, suffix) ? tail : 0;
}

const struct format *format_by_path(const char *path)
{
	const struct format *best = NULL;
	size_t longest = 0;

	for (const struct format *const *f = format_table; *f; f++) {
		size_t a = suffix_fits(path, (*f)->suffix), b = suffix_fits(path, (*f)->suffix2);

		if (a > longest || b > longest) {
			best = *f;
			longest = a > b ? a : b;
		}
	}
	return best;
}

/* ---- into a descriptor ------------------------------------------------------------------------ */

static int fd_write(void *arg, const void *data, size_t len)
{
	int fd = *(const int *)arg;
	const char *at = data;

	while (len) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -EIO;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The writer's own complaint stands; a bare errno gets the place; a reader who left gets no words. */
static int explain(int ret, const char *where, const struct error *own, struct error *err)
{
	if (!ret)
		return 0;
	if (ret == -EPIPE)
		return error_set(err, ret, "%s", "");
	if (own && own->code)
		return error_set(err, ret, "cannot write %s: %s", where, own->text);
	return error_set(err, ret, "cannot write %s: %s", where, error_write_reason(ret));
}

static int write_open(const struct profile *p, const struct format *f,
		      const struct format_options *opt, int fd, struct error *own)
{
	const struct sink to = {.write = fd_write, .arg = &fd};

	return f->write(p, opt, &to, own);
}

int format_write_fd(const struct profile *p, const struct format *f,
		    const struct format_options *opt, int fd, struct error *err)
{
	struct error own = {0};
	char where[32];
	int ret = write_open(p, f, opt, fd, &own);

	snprintf(where, sizeof(where), "file descriptor %d", fd);
	return explain(ret, fd == STDOUT_FILENO ? "standard output" : where, &own, err);
}

/* ---- into a file that appears whole ----------------------------------------------------------- */

struct file {
	int dir; /* where it belongs */
	const char *name; /* within dir; borrowed from the path */
	char temp[48]; /* name while it is incomplete; "" when it has none */
	int fd;
};

static int close_checked(int *fd)
{
	int ret = *fd >= 0 && close(*fd) ? -errno : 0;

	*fd = -1;
	return ret;
}

static void temp_name(struct file *f, unsigned int attempt)
{
	snprintf(f->temp, sizeof(f->temp), ".cprof-%d-%u.tmp", (int)getpid(), attempt);
}

static int open_named(struct file *f)
{
	for (unsigned int i = 0; i < NAME_TRIES; i++) {
		temp_name(f, i);
		f->fd = openat(f->dir, f->temp,
			       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
		if (f->fd >= 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	f->temp[0] = '\0';
	return -errno;
}

static int open_unnamed(struct file *f)
{
	f->fd = openat(f->dir, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, FILE_MODE);
	return f->fd >= 0 ? 0 : -errno;
}

/* linkat cannot replace a file, so a finished file passes through a temporary name, too. */
static int give_name(struct file *f)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
	for (unsigned int i = 0; i < NAME_TRIES; i++) {
		temp_name(f, i);
		if (!linkat(AT_FDCWD, path, f->dir, f->temp, AT_SYMLINK_FOLLOW))
			return 0;
		if (errno != EEXIST)
			break;
	}
	f->temp[0] = '\0';
	return -errno;
}

static int file_write(struct file *f, const struct profile *p, const struct format *fmt,
		      const struct format_options *opt, struct error *own)
{
	bool named = false;
	int ret = access("/proc/self/fd", X_OK) ? -ENOTSUP : open_unnamed(f);

	if (ret) {
		ret = open_named(f);
		named = true;
	}
	if (!ret)
		ret = write_open(p, fmt, opt, f->fd, own);
	if (!ret && !named)
		ret = give_name(f);
	if (!ret)
		ret = close_checked(&f->fd);
	if (!ret && renameat(f->dir, f->temp, f->dir, f->name))
		ret = -errno;
	if (ret && f->temp[0])
		unlinkat(f->dir, f->temp, 0);
	close_checked(&f->fd);
	return ret;
}

/* Splits the path; -EISDIR when it names no file. */
static int file_open_dir(struct file *f, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir;

	f->name = slash ? slash + 1 : path;
	if (!*f->name)
		return *path ? -EISDIR : -ENOENT;
	dir = !slash ? strdup(".") : slash == path ? strdup("/") : strndup(path, slash - path);
	if (!dir)
		return -ENOMEM;
	f->dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	return f->dir >= 0 ? 0 : -errno;
}

static bool is_stdout(const char *path)
{
	return !strcmp(path, "-") || !strcmp(path, "/dev/stdout");
}

/*
 * What already lies at `path` decides. A link to a regular file is replaced, not followed: somebody
 * else may have put it there (/tmp). But those of /dev and /proc (/dev/stdout > file) are doors to
 * open descriptors.
 */
bool format_writes_in_place(const char *path)
{
	struct stat link, st;

	if (is_stdout(path))
		return true;
	if (lstat(path, &link) || stat(path, &st))
		return false;
	if (!S_ISREG(st.st_mode))
		return true;
	return S_ISLNK(link.st_mode) && (!strncmp(path, "/dev/", 5) || !strncmp(path, "/proc/", 6));
}

static int write_in_place(const struct profile *p, const struct format *f,
			  const struct format_options *opt, const char *path, struct error *own)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC), ret, closed;

	if (fd < 0)
		return -errno;
	ret = write_open(p, f, opt, fd, own);
	closed = close_checked(&fd);
	return ret ? ret : closed;
}

int format_write_file(const struct profile *p, const struct format *f,
		      const struct format_options *opt, const char *path, struct error *err)
{
	struct file file = {.dir = -1, .fd = -1};
	struct error own = {0};
	int ret;

	if (is_stdout(path))
		return format_write_fd(p, f, opt, STDOUT_FILENO, err);
	if (format_writes_in_place(path))
		return explain(write_in_place(p, f, opt, path, &own), path, &own, err);
	ret = file_open_dir(&file, path);
	if (!ret)
		ret = file_write(&file, p, f, opt, &own);
	if (file.dir >= 0)
		close(file.dir);
	return explain(ret, path, &own, err);
}
