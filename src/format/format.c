/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists the formats, and writes files that appear either whole or not at all.
 *
 * If the file system supports it, a file is written without a name (O_TMPFILE, open(2)), so that
 * even a kill -9 in the middle of a write leaves nothing behind. Otherwise it is written under a
 * temporary name in the same directory.
 */
#include "format/format.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/destination.h"

#define FILE_MODE 0644
#define NAME_TRIES 16u

const struct format *const format_table[] = {
	&format_pprof, &format_folded,     &format_text,    &format_html,
	&format_svg,   &format_speedscope, &format_firefox, &format_chrome,
	&format_dump,  &format_jstack,     &format_counts,  NULL,
};

const struct format *format_by_name(const char *name)
{
	for (const struct format *const *f = format_table; *f; f++) {
		if (!strcmp((*f)->name, name))
			return *f;
	}
	return NULL;
}

/* Returns the length of the suffix if `path` ends in it and has something before it, else 0. */
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

/* ---- into a descriptor ----------------------------------------------------------------------- */

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

/* Keeps the writer's own message, and adds the destination to a bare errno. If the reader has gone,
 * the text is empty. */
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

/* ---- into a file that appears whole ---------------------------------------------------------- */

struct file {
	const struct path_end *place;
	char temp[40]; /* name while the file is incomplete; "" if it has none */
	int fd;
};

static int close_checked(int *fd)
{
	int ret = *fd >= 0 && close(*fd) ? -errno : 0;

	*fd = -1;
	return ret;
}

/* The name is random, so that nobody can occupy it beforehand. */
static void temp_name(struct file *f)
{
	u64 number = 0;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		number = (u64)getpid();
	snprintf(f->temp, sizeof(f->temp), ".cprof-%016" PRIx64 ".tmp", number);
}

static int open_named(struct file *f)
{
	for (u32 i = 0; i < NAME_TRIES; i++) {
		temp_name(f);
		f->fd = openat(f->place->dir, f->temp,
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
	f->fd = openat(f->place->dir, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, FILE_MODE);
	return f->fd >= 0 ? 0 : -errno;
}

/* linkat cannot replace a file, so a finished file also passes through a temporary name. */
static int give_name(struct file *f)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
	for (u32 i = 0; i < NAME_TRIES; i++) {
		temp_name(f);
		if (!linkat(AT_FDCWD, path, f->place->dir, f->temp, AT_SYMLINK_FOLLOW))
			return 0;
		if (errno != EEXIST)
			break;
	}
	f->temp[0] = '\0';
	return -errno;
}

static int file_write(const struct path_end *place, const struct profile *p,
		      const struct format *fmt, const struct format_options *opt, struct error *own)
{
	struct file f = {.place = place, .fd = -1};
	bool named = false;
	int ret = access("/proc/self/fd", X_OK) ? -ENOTSUP : open_unnamed(&f);

	if (ret) {
		ret = open_named(&f);
		named = true;
	}
	if (!ret)
		ret = write_open(p, fmt, opt, f.fd, own);
	if (!ret && !named)
		ret = give_name(&f);
	if (!ret)
		ret = close_checked(&f.fd);
	if (!ret && renameat(place->dir, f.temp, place->dir, place->name))
		ret = -errno;
	if (ret && f.temp[0])
		unlinkat(place->dir, f.temp, 0);
	close_checked(&f.fd);
	return ret;
}

/* ---- into an existing destination ------------------------------------------------------------ */

/* This opens what was checked before, and not what may be at its path by now. */
static int open_stream(const struct path_end *end)
{
	const int flags = O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC;
	char path[32];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", end->fd);
	fd = open(path, flags);
	if (fd >= 0 || errno != ENOENT)
		return fd < 0 ? -errno : fd;
	/* This is the way without /proc. */
	fd = openat(end->dir, end->name, flags | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && st.st_dev == end->st.st_dev && st.st_ino == end->st.st_ino)
		return fd;
	close(fd);
	return -ESTALE;
}

static int stream_write(const struct path_end *end, const struct profile *p, const struct format *f,
			const struct format_options *opt, struct error *own)
{
	int fd = open_stream(end), ret, closed;

	if (fd < 0)
		return fd;
	ret = write_open(p, f, opt, fd, own);
	closed = close_checked(&fd);
	return ret ? ret : closed;
}

int format_write_to(const struct profile *p, const struct format *f,
		    const struct format_options *opt, const struct destination *to,
		    struct error *err)
{
	struct error own = {0};
	int ret;

	if (to->kind == DESTINATION_DESCRIPTOR)
		return format_write_fd(p, f, opt, to->fd, err);
	ret = to->kind == DESTINATION_STREAM ? stream_write(&to->end, p, f, opt, &own)
					     : file_write(&to->end, p, f, opt, &own);
	return explain(ret, to->path, &own, err);
}

int format_write_file(const struct profile *p, const struct format *f,
		      const struct format_options *opt, const char *path, struct error *err)
{
	struct destination to;
	int ret = destination_open(&to, path, err);

	if (!ret)
		ret = format_write_to(p, f, opt, &to, err);
	destination_release(&to);
	return ret;
}
