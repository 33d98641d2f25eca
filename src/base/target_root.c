/* SPDX-License-Identifier: Apache-2.0 */
/* Opens files inside a target's root as the target's user: see target_root.h. */
#include "base/target_root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
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

/* As ourselves, but only what the file's mode lets the user read. */
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

void target_root_release(struct target_root *root)
{
	if (root->fd >= 0)
		close(root->fd);
	root->fd = -1;
	file_user_release(&root->user);
}
