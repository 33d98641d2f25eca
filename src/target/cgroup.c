/* SPDX-License-Identifier: Apache-2.0 */
/* Finds control groups through /proc/self/mountinfo: see cgroup.h. */
#include "target/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/vec.h"

/* Describes one mounted hierarchy. `root` is the part of it that is mounted, which is "/" except in
 * some containers. */
struct cgroup_mount {
	char *point, *root;
	bool v2;
	char controllers[128];
};

typedef VEC(struct cgroup_mount) mount_vec;

static void mounts_release(mount_vec *v)
{
	vec_for_each(v, m) {
		free(m->point);
		free(m->root);
	}
	vec_release(v);
}

/* The super block's options name the controllers of a v1 hierarchy, mixed with other options. */
static void take_controllers(char *options, char *out, size_t size)
{
	static const char *const others[] = {
		"rw", "ro", "xattr", "noprefix", "clone_children", "favordynmods"};
	char *save, *word = strtok_r(options, ",", &save);
	size_t used = 0;

	out[0] = '\0';
	for (; word; word = strtok_r(NULL, ",", &save)) {
		bool other = !strncmp(word, "release_agent=", 14) ||
			     !strncmp(word, "cpuset_v2_mode", 14);

		for (size_t i = 0; i < ARRAY_LEN(others); i++)
			other |= !strcmp(word, others[i]);
		if (other || used + strlen(word) + 2 > size)
			continue;
		used += (size_t)snprintf(out + used, size - used, "%s%s", used ? "," : "", word);
	}
}

/* The format is in proc_pid_mountinfo(5): ID parent dev root point options [optional...] - type
 * source options */
static int parse_mount(char *line, mount_vec *out)
{
	struct cgroup_mount m = {0};
	char *save, *fields[5], *rest = strstr(line, " - ");
	char *type, *options;

	if (!rest)
		return 0;
	*rest = '\0';
	type = strtok_r(rest + 3, " ", &save);
	strtok_r(NULL, " ", &save);
	options = strtok_r(NULL, " \n", &save);
	if (!type || !options || (strcmp(type, "cgroup") != 0 && strcmp(type, "cgroup2") != 0))
		return 0;
	m.v2 = !strcmp(type, "cgroup2");
	if (!m.v2)
		take_controllers(options, m.controllers, sizeof(m.controllers));
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		fields[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!fields[i])
			return 0;
	}
	m.root = strdup(fields[3]);
	m.point = strdup(fields[4]);
	if (!m.root || !m.point || vec_push(out, m)) {
		free(m.root);
		free(m.point);
		return -ENOMEM;
	}
	return 0;
}

static int mounts_read(mount_vec *out)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;
	int result = 0;

	if (!f)
		return -errno;
	while (!result && getline(&line, &size, f) > 0)
		result = parse_mount(line, out);
	free(line);
	fclose(f);
	return result;
}

static bool on_cgroup_fs(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) &&
	       (fs.f_type == CGROUP2_SUPER_MAGIC || fs.f_type == CGROUP_SUPER_MAGIC);
}

static int open_dir(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Tries `path` below the mount points of one kind of hierarchy. */
static int open_below_mounts(const mount_vec *mounts, bool v2, const char *path)
{
	vec_for_each(mounts, m) {
		char full[PATH_MAX];
		int fd;

		if (m->v2 != v2 ||
		    snprintf(full, sizeof(full), "%s/%s", m->point, path) >= (int)sizeof(full))
			continue;
		fd = open_dir(full);
		if (fd >= 0 && on_cgroup_fs(fd))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -ENOENT;
}

static int open_cgroup(const mount_vec *mounts, const char *path)
{
	int fd = open_dir(path), below;

	if (fd >= 0 && on_cgroup_fs(fd))
		return fd;
	below = open_below_mounts(mounts, true, path);
	if (below < 0)
		below = open_below_mounts(mounts, false, path);
	if (fd >= 0) {
		close(fd);
		fd = -EINVAL;
	}
	return below >= 0 ? below : fd;
}

/* Returns the rest of `path` below `prefix`, from the '/' on, or NULL if it does not lie there. */
static const char *below(const char *path, const char *prefix)
{
	size_t len = strlen(prefix);

	if (len && prefix[len - 1] == '/')
		len--;
	if (strncmp(path, prefix, len) != 0 || (path[len] && path[len] != '/'))
		return NULL;
	return path + len;
}

/* If several are mounted over one place, the last one is visible there. */
static const struct cgroup_mount *mount_of(const mount_vec *mounts, const char *path)
{
	const struct cgroup_mount *best = NULL;

	vec_for_each(mounts, m) {
		if (below(path, m->point) && (!best || strlen(m->point) >= strlen(best->point)))
			best = m;
	}
	return best;
}

static u32 count_parts(const char *path)
{
	u32 parts = 0;

	for (size_t i = 0; path[i]; i++)
		parts += path[i] == '/' && path[i + 1] && path[i + 1] != '/';
	return parts;
}

static int describe(struct target_cgroup *c, const mount_vec *mounts, char **title)
{
	char link[40], path[PATH_MAX];
	const struct cgroup_mount *m;
	const char *inside;
	struct stat st;
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", c->fd);
	len = readlink(link, path, sizeof(path) - 1);
	if (len < 0 || fstat(c->fd, &st))
		return -errno;
	path[len] = '\0';
	m = mount_of(mounts, path);
	if (!m)
		return -ENOENT;
	inside = below(path, m->point);
	c->id = st.st_ino;
	c->v2 = m->v2;
	c->level = count_parts(m->root) + count_parts(inside);
	memcpy(c->controllers, m->controllers, sizeof(c->controllers));
	if (asprintf(title, "cgroup %s%s%s", m->controllers, m->v2 ? "" : ":",
		     *inside ? inside : "/") < 0) {
		*title = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int refuse(struct error *err, int code, const char *path, bool mounted)
{
	const char *why = !mounted ? "no cgroup file system is mounted (as root: mount -t cgroup2 "
				     "none /sys/fs/cgroup)"
			  : code == -EINVAL ? "it is not a cgroup directory"
			  : code == -ENOENT ? "no such cgroup"
					    : error_reason(code);

	return error_set(err, code, "cannot profile cgroup %.256s: %s", path, why);
}

int cgroup_open(struct target_cgroup *out, const char *path, char **title, struct error *err)
{
	mount_vec mounts = {0};
	int result = mounts_read(&mounts);

	*title = NULL;
	memset(out, 0, sizeof(*out));
	out->fd = -1;
	if (!result) {
		result = open_cgroup(&mounts, path);
		out->fd = result < 0 ? -1 : result;
	}
	if (result >= 0)
		result = describe(out, &mounts, title);
	if (result < 0) {
		cgroup_release(out);
		refuse(err, result, path, mounts.len > 0);
	}
	mounts_release(&mounts);
	return result;
}

/* kernfs makes file handles of inodes (fs/kernfs/mount.c, FILEID_KERNFS since Linux 5.5). */
static int open_inode(const char *mount, u64 id)
{
	union {
		struct file_handle handle;
		u8 space[sizeof(struct file_handle) + sizeof(id)];
	} h = {.handle = {.handle_bytes = sizeof(id), .handle_type = 0xfe}};
	int dir = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

	if (dir < 0)
		return -errno;
	memcpy(h.space + offsetof(struct file_handle, f_handle), &id, sizeof(id));
	fd = open_by_handle_at(dir, &h.handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = fd < 0 ? -errno : fd;
	close(dir);
	return fd;
}

static int path_below(const struct cgroup_mount *m, u64 id, char *out, size_t size)
{
	char link[40], path[PATH_MAX];
	int fd = open_inode(m->point, id);
	const char *inside;
	ssize_t len;

	if (fd < 0)
		return fd;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	close(fd);
	path[len < 0 ? 0 : len] = '\0';
	inside = len < 0 ? NULL : below(path, m->point);
	if (!inside || strlen(inside) >= size)
		return -ENOENT;
	strcpy(out, inside);
	return 0;
}

int cgroup_path_of(u64 id, char *out, size_t size)
{
	mount_vec mounts = {0};
	int ret = mounts_read(&mounts);
	bool found = false;

	for (size_t i = 0; i < mounts.len && !ret && !found; i++) {
		found = mounts.data[i].v2;
		if (found)
			ret = path_below(&mounts.data[i], id, out, size);
	}
	mounts_release(&mounts);
	return ret ? ret : found ? 0 : -ENOENT;
}

void cgroup_release(struct target_cgroup *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}
