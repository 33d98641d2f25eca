/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the file behind a mapping, in this process or in a reader: see mapped_file.h. */
#include "target/mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/regular_file.h"
#include "target/process.h"

void mapped_file_path(pid_t tgid, const struct map_entry *e, char path[MAPPED_FILE_PATH_SIZE])
{
	snprintf(path, MAPPED_FILE_PATH_SIZE, "/proc/%d/map_files/%llx-%llx", (int)tgid,
		 (unsigned long long)e->start, (unsigned long long)e->end);
}

static int open_path(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Takes over the descriptor. */
static int reopen(int path_fd)
{
	int fd = regular_file_reopen(path_fd);

	close(path_fd);
	return fd;
}

/*
 * Checks that this is the file that the mapping names. btrfs and overlayfs show one device in maps
 * and another one in stat (a subvolume has its own device number), so the inode must suffice there.
 */
static bool is_mapped_file(int path_fd, const struct map_entry *e)
{
	struct statfs fs;
	struct stat st;

	if (fstat(path_fd, &st) || st.st_ino != e->inode)
		return false;
	if (major(st.st_dev) == e->dev_major && minor(st.st_dev) == e->dev_minor)
		return true;
	return !fstatfs(path_fd, &fs) &&
	       (fs.f_type == BTRFS_SUPER_MAGIC || fs.f_type == OVERLAYFS_SUPER_MAGIC);
}

static int open_map_file(pid_t tgid, const struct map_entry *e)
{
	char path[MAPPED_FILE_PATH_SIZE];

	mapped_file_path(tgid, e, path);
	return open_path(path);
}

/* Opens it by name below the target's root, where another file may be by now. */
static int open_in_root(const struct target_root *root, const struct map_entry *e)
{
	int fd = root->fd < 0 ? -EACCES : target_root_open(root, e->path, TARGET_PATH_LINKS);

	if (fd < 0)
		return fd == -ENOENT || fd == -EINVAL ? -ESTALE : fd;
	if (is_mapped_file(fd, e))
		return fd;
	close(fd);
	return -ESTALE;
}

/* The program itself can be opened without privileges even after it was replaced or deleted. */
static int open_exe(pid_t tgid, const struct map_entry *e)
{
	char path[PROCESS_PATH_MAX];
	int fd;

	process_path(tgid, "exe", path);
	fd = open_path(path);
	if (fd < 0)
		return fd;
	if (!is_mapped_file(fd, e)) {
		close(fd);
		return -ESTALE;
	}
	return fd;
}

static int open_here(pid_t tgid, const struct target_root *root, const struct map_entry *e)
{
	int fd = open_map_file(tgid, e), result;

	if (fd >= 0)
		return reopen(fd);
	result = open_in_root(root, e);
	if (result >= 0)
		return result;
	fd = open_exe(tgid, e);
	if (fd >= 0)
		return reopen(fd);
	return fd == -ENOENT || fd == -ESRCH ? -ESRCH : result;
}

/* ---- through a reader ------------------------------------------------------------------------ */

struct mapped_request { /* the packed root and the path follow */
	u64 start, end, inode;
	u32 dev_major, dev_minor;
	s32 tgid;
	u32 pad;
};

static int open_for_reader(const void *arg, size_t size, const int *fds, u32 nfds)
{
	struct mapped_request q;
	struct target_root root;
	struct map_entry e;
	ssize_t used;

	if (size < sizeof(q))
		return -EBADMSG;
	memcpy(&q, arg, sizeof(q));
	arg = (const u8 *)arg + sizeof(q);
	used = target_root_unpack(arg, size - sizeof(q), nfds ? fds[0] : -1, &root);
	if (used < 0)
		return (int)used;
	e = (struct map_entry){.start = q.start,
			       .end = q.end,
			       .inode = q.inode,
			       .dev_major = q.dev_major,
			       .dev_minor = q.dev_minor,
			       .path = (char *)arg + used};
	return open_here(q.tgid, &root, &e);
}

static ssize_t pack_request(pid_t tgid, const struct target_root *root, const struct map_entry *e,
			    u8 *out, size_t size)
{
	const struct mapped_request q = {.start = e->start,
					 .end = e->end,
					 .inode = e->inode,
					 .dev_major = e->dev_major,
					 .dev_minor = e->dev_minor,
					 .tgid = tgid};
	size_t len = strlen(e->path) + 1, at = sizeof(q);
	ssize_t used = target_root_pack(root, out + at, size - at);

	if (used < 0)
		return used;
	memcpy(out, &q, sizeof(q));
	at += (size_t)used;
	if (len > size - at)
		return -E2BIG;
	memcpy(out + at, e->path, len);
	return (ssize_t)(at + len);
}

/* If the device is unknown, as when only a path on the way may not answer, the place is the path
 * itself. */
static int open_by_reader(pid_t tgid, const struct target_root *root, const struct map_entry *e,
			  u64 device, struct input_file *out)
{
	u8 *arg = malloc(READERS_ARG_MAX);
	struct file_opener o = {.open = open_for_reader,
				.arg = arg,
				.fds = &root->fd,
				.nfds = root->fd >= 0,
				.device = device,
				.place = e->path,
				.path = e->path};
	ssize_t used;
	int err;

	if (!arg)
		return -ENOMEM;
	used = pack_request(tgid, root, e, arg, READERS_ARG_MAX);
	o.size = used < 0 ? 0 : (size_t)used;
	err = used < 0 ? (int)used : readers_open(root->readers, &o, out);
	free(arg);
	return err;
}

static int open_elsewhere(pid_t tgid, const struct target_root *root, const struct map_entry *e,
			  bool local, struct input_file *out)
{
	u64 device = (u64)e->dev_major << 32 | e->dev_minor;
	int err = open_by_reader(tgid, root, e, local ? READERS_ANY_DEVICE : device, out), fd;

	if (err != -EAGAIN || !local || !readers_path_is_local(root->readers, e->path))
		return err;
	fd = open_here(tgid, root, e);
	return fd < 0 ? fd : input_file_of(fd, out);
}

int mapped_file_open(pid_t tgid, const struct target_root *root, const struct map_entry *e,
		     struct input_file *out)
{
	bool local = !root->readers ||
		     readers_device_is_local(root->readers, tgid, e->dev_major, e->dev_minor);
	int fd = -1;

	*out = INPUT_FILE_NONE;
	/* Following this link does not access any directory. */
	if (local)
		fd = open_map_file(tgid, e);
	if (fd >= 0)
		fd = reopen(fd);
	else if (!root->readers)
		fd = open_here(tgid, root, e);
	else
		return open_elsewhere(tgid, root, e, local, out);
	return fd < 0 ? fd : input_file_of(fd, out);
}
