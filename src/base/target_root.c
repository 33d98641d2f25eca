/* SPDX-License-Identifier: Apache-2.0 */
/* Opens files inside a target's root as the target's user: see target_root.h. */
#include "base/target_root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/regular_file.h"

int target_root_ours(struct target_root *root)
{
	*root = (struct target_root){.ours = true};
	root->fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root->fd < 0 ? -errno : 0;
}

static int open_path(const struct target_root *root, const char *path, enum target_path links)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	if (links == TARGET_PATH_NO_LINKS)
		how.resolve |= RESOLVE_NO_SYMLINKS;
	fd = (int)syscall(SYS_openat2, root->fd, path, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

static int open_file(const struct target_root *root, const char *path, enum target_path links)
{
	int at = open_path(root, path, links), fd;

	if (at < 0)
		return at;
	fd = regular_file_reopen(at);
	close(at);
	return fd;
}

/* Opens the file as ourselves, but only if its mode lets the user read it. */
static int open_readable(const struct target_root *root, const char *path, enum target_path links)
{
	int fd = open_file(root, path, links);
	struct stat st;

	if (fd < 0 || (!fstat(fd, &st) && file_user_may_read(&root->user, &st)))
		return fd;
	close(fd);
	return -EACCES;
}

int target_root_open(const struct target_root *root, const char *path, enum target_path links)
{
	struct file_rights saved;
	int fd, err;

	if (root->fd < 0)
		return -ENOENT;
	if (root->ours)
		return open_file(root, path, links);
	err = file_user_assume(&root->user, &saved);
	if (err)
		return err == -EPERM ? open_readable(root, path, links) : err;
	fd = open_file(root, path, links);
	file_user_return(&saved);
	return fd;
}

/* ---- through a reader ------------------------------------------------------------------------ */

struct packed_root {
	u32 ours, uid, gid, ngroups; /* the groups follow */
};

_Static_assert(sizeof(gid_t) == 4, "groups are packed behind words of four bytes");

ssize_t target_root_pack(const struct target_root *root, void *out, size_t size)
{
	const struct packed_root head = {.ours = root->ours,
					 .uid = root->user.uid,
					 .gid = root->user.gid,
					 .ngroups = (u32)root->user.ngroups};
	size_t groups = root->user.ngroups * sizeof(gid_t);

	if (size < sizeof(head) || groups > size - sizeof(head))
		return -E2BIG;
	memcpy(out, &head, sizeof(head));
	if (groups)
		memcpy((u8 *)out + sizeof(head), root->user.groups, groups);
	return (ssize_t)(sizeof(head) + groups);
}

ssize_t target_root_unpack(const void *packed, size_t size, int fd, struct target_root *root)
{
	struct packed_root head;
	size_t groups;

	if (size < sizeof(head))
		return -EBADMSG;
	memcpy(&head, packed, sizeof(head));
	groups = head.ngroups * sizeof(gid_t);
	if (groups > size - sizeof(head))
		return -EBADMSG;
	*root = (struct target_root){.fd = fd,
				     .ours = head.ours,
				     .user = {.uid = head.uid,
					      .gid = head.gid,
					      .groups = (gid_t *)((u8 *)packed + sizeof(head)),
					      .ngroups = head.ngroups}};
	return (ssize_t)(sizeof(head) + groups);
}

/* This is what a reader is given: how to treat links, the root, and the path with its NUL. */
static int open_for_reader(const void *arg, size_t size, const int *fds, u32 nfds)
{
	struct target_root root;
	ssize_t used;
	u32 links;

	if (nfds != 1 || size < sizeof(links))
		return -EBADMSG;
	memcpy(&links, arg, sizeof(links));
	arg = (const u8 *)arg + sizeof(links);
	size -= sizeof(links);
	used = target_root_unpack(arg, size, fds[0], &root);
	if (used < 0)
		return (int)used;
	return target_root_open(&root, (const char *)arg + used, (enum target_path)links);
}

static ssize_t pack_request(const struct target_root *root, const char *path, u32 links, u8 *out,
			    size_t size)
{
	size_t len = strlen(path) + 1;
	ssize_t used;

	memcpy(out, &links, sizeof(links));
	used = target_root_pack(root, out + sizeof(links), size - sizeof(links));
	if (used < 0)
		return used;
	used += (ssize_t)sizeof(links);
	if (len > size - (size_t)used)
		return -E2BIG;
	memcpy(out + used, path, len);
	return used + (ssize_t)len;
}

static int open_by_reader(const struct target_root *root, const char *path, enum target_path links,
			  struct input_file *out)
{
	u8 *arg = malloc(READERS_ARG_MAX);
	const char *slash = strrchr(path, '/');
	char place[PATH_MAX];
	struct file_opener o = {.open = open_for_reader,
				.arg = arg,
				.fds = &root->fd,
				.nfds = 1,
				.place = place,
				.path = path};
	ssize_t used;
	int err;

	if (!arg)
		return -ENOMEM;
	/* Directories of different roots are not told apart, so one that does not answer stands for
	 * all of them. */
	snprintf(place, sizeof(place), "%.*s", slash ? (int)(slash - path) : 0, path);
	used = pack_request(root, path, links, arg, READERS_ARG_MAX);
	o.size = used < 0 ? 0 : (size_t)used;
	err = used < 0 ? (int)used : readers_open(root->readers, &o, out);
	free(arg);
	return err;
}

int target_root_input(const struct target_root *root, const char *path, enum target_path links,
		      struct input_file *out)
{
	int fd;

	*out = INPUT_FILE_NONE;
	if (root->fd < 0)
		return -ENOENT;
	if (root->readers) {
		int err = open_by_reader(root, path, links, out);

		if (err != -EAGAIN || !readers_path_is_local(root->readers, path))
			return err;
	}
	fd = target_root_open(root, path, links);
	return fd < 0 ? fd : input_file_of(fd, out);
}

void target_root_release(struct target_root *root)
{
	if (root->fd >= 0)
		close(root->fd);
	root->fd = -1;
	file_user_release(&root->user);
}
