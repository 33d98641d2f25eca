/* SPDX-License-Identifier: Apache-2.0 */
/* Resolves paths without following other users' links: see path_walk.h. */
#include "base/path_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/invoker.h"

#define LINKS_MAX 40 /* fs/namei.c: MAXSYMLINKS */

struct walk {
	struct path_end at; /* how far the walk has come; `name` is the component that comes next */
	u32 links;
	char rest[2 * PATH_MAX]; /* the rest of the path after `name` */
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int open_dir(int at, const char *name, int flags)
{
	int fd = openat(at, name, O_PATH | O_DIRECTORY | O_CLOEXEC | flags);

	return fd < 0 ? -errno : fd;
}

/* Takes the next component from `rest` into `name`; *more is false if there is none. */
static int next_name(struct walk *w, bool *more)
{
	char *from = w->rest + strspn(w->rest, "/");
	size_t len = strcspn(from, "/");

	*more = len > 0;
	if (len >= sizeof(w->at.name))
		return -ENAMETOOLONG;
	memcpy(w->at.name, from, len);
	w->at.name[len] = '\0';
	memmove(w->rest, from + len, strlen(from + len) + 1);
	return 0;
}

static bool is_last(const struct walk *w)
{
	return !w->rest[strspn(w->rest, "/")];
}

/* Opens what `name` is, without following it. It is not an error if nothing is there. */
static int look(struct path_end *e)
{
	e->fd = openat(e->dir, e->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (e->fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return fstat(e->fd, &e->st) ? -errno : 0;
}

static int enter(struct walk *w, int dir)
{
	if (dir < 0)
		return dir;
	close_fd(&w->at.dir);
	close_fd(&w->at.fd);
	w->at.dir = dir;
	return 0;
}

bool path_end_is_open_file(const struct path_end *end)
{
	struct statfs fs;

	return S_ISLNK(end->st.st_mode) && !fstatfs(end->fd, &fs) && fs.f_type == PROC_SUPER_MAGIC;
}

/* Puts the target of the link at `w->at` in front of the rest. */
static int expand_link(struct walk *w)
{
	char aim[PATH_MAX], joined[sizeof(w->rest)];
	ssize_t len;
	int used;

	if (++w->links > LINKS_MAX)
		return -ELOOP;
	len = readlinkat(w->at.fd, "", aim, sizeof(aim) - 1);
	if (len < 0)
		return -errno;
	if (!len || len == (ssize_t)sizeof(aim) - 1)
		return -ENAMETOOLONG;
	aim[len] = '\0';
	used = snprintf(joined, sizeof(joined), "%s/%s", aim, w->rest);
	if (used < 0 || (size_t)used >= sizeof(joined))
		return -ENAMETOOLONG;
	/* A slash after the last component would require a directory. */
	if (is_last(w))
		joined[len] = '\0';
	strcpy(w->rest, joined);
	close_fd(&w->at.fd);
	return aim[0] == '/' ? enter(w, open_dir(AT_FDCWD, "/", 0)) : 0;
}

static int follow(struct walk *w)
{
	if (!invoker_trusts(w->at.st.st_uid))
		return -EPERM;
	/* Only the kernel can follow those. */
	if (!path_end_is_open_file(&w->at))
		return expand_link(w);
	if (is_last(w)) {
		int fd = openat(w->at.dir, w->at.name, O_PATH | O_CLOEXEC);

		if (fd < 0)
			return -errno;
		close_fd(&w->at.fd);
		w->at.fd = fd;
		return fstat(fd, &w->at.st) ? -errno : 0;
	}
	return enter(w, open_dir(w->at.dir, w->at.name, 0));
}

/* Follows the rest of the path up to its last component, which may be a link. */
static int advance(struct walk *w)
{
	for (;;) {
		bool more;
		int err = next_name(w, &more);

		if (err || !more)
			return err;
		err = look(&w->at);
		if (err)
			return err;
		if (is_last(w))
			return 0;
		if (w->at.fd < 0)
			return -ENOENT;
		if (S_ISLNK(w->at.st.st_mode))
			err = follow(w);
		else
			err = enter(w, open_dir(w->at.dir, w->at.name, O_NOFOLLOW));
		if (err)
			return err;
	}
}

static bool names_directory(const char *path)
{
	size_t len = strlen(path);

	return len && path[len - 1] == '/';
}

int path_walk(const char *path, struct path_end *end)
{
	struct walk w = {.at = {.dir = -1, .fd = -1}};
	int err;

	*end = w.at;
	if (!*path || names_directory(path))
		return *path ? -EISDIR : -ENOENT;
	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	strcpy(w.rest, path);
	w.at.dir = open_dir(AT_FDCWD, path[0] == '/' ? "/" : ".", 0);
	err = w.at.dir < 0 ? w.at.dir : advance(&w);
	*end = w.at;
	return err;
}

int path_walk_link(const struct path_end *link, struct path_end *aim)
{
	struct walk w = {.at = *link};
	int err;

	w.at.dir = fcntl(link->dir, F_DUPFD_CLOEXEC, 0);
	w.at.fd = fcntl(link->fd, F_DUPFD_CLOEXEC, 0);
	err = w.at.dir < 0 || w.at.fd < 0 ? -errno : follow(&w);
	while (!err && w.at.fd < 0 && *w.rest) {
		err = advance(&w);
		if (!err && w.at.fd >= 0 && S_ISLNK(w.at.st.st_mode))
			err = follow(&w);
	}
	*aim = w.at;
	return err;
}

void path_end_release(struct path_end *end)
{
	close_fd(&end->dir);
	close_fd(&end->fd);
}
