/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the files that a process maps: see module.h. */
#include "target/module.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/regular_file.h"
#include "target/process.h"
#include "target/process_root.h"

static int open_path(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Takes the descriptor over. */
static int reopen(int path_fd)
{
	int fd = regular_file_reopen(path_fd);

	close(path_fd);
	return fd;
}

/*
 * Is this the file that the mapping names? btrfs and overlayfs show another device in maps than in
 * stat (a subvolume has a device number of its own), so there the inode has to do.
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
	char path[80];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", (int)tgid,
		 (unsigned long long)e->start, (unsigned long long)e->end);
	return open_path(path);
}

/* By name below the target's root, where something else may lie by now. */
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

/* The program itself can be had without privileges even after it was replaced or deleted. */
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

static int open_mapped_file(pid_t tgid, const struct target_root *root, const struct map_entry *e)
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

static int module_new(enum module_kind kind, const char *path, struct module **out)
{
	struct module *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->kind = kind;
	m->root = TARGET_ROOT_NONE;
	m->path = strdup(path);
	if (!m->path) {
		free(m);
		return -ENOMEM;
	}
	*out = m;
	return 0;
}

/* Best effort: a process that has gone leaves a module without a root. */
static void set_owner(struct module *m, pid_t tgid)
{
	struct process_info info;

	m->tgid = tgid;
	if (process_read(tgid, &info))
		return;
	m->inner = info.inner;
	if (process_root_open(tgid, &m->root))
		m->root = TARGET_ROOT_NONE;
}

static void set_elf(struct module *m, struct elf_file *elf)
{
	m->elf = elf;
	m->build_id = *elf_file_build_id(elf);
}

static bool is_not_elf(int code)
{
	return code == -ENOEXEC || code == -ENOTSUP || code == -EBADMSG;
}

static int module_read_elf(struct module *m, const struct map_entry *e)
{
	struct elf_file *elf;
	int fd = open_mapped_file(m->tgid, &m->root, e), result;

	if (fd < 0)
		return fd;
	result = elf_file_open(fd, &elf);
	close(fd);
	if (!result)
		set_elf(m, elf);
	return is_not_elf(result) ? 0 : result;
}

int module_open_entry(pid_t tgid, const struct map_entry *e, struct module **out)
{
	struct module *m;
	int result;

	if (e->path[0] != '/' || !e->inode)
		return -ENOEXEC;
	result = module_new(MODULE_KIND_FILE, e->path, &m);
	if (result)
		return result;
	set_owner(m, tgid);
	m->start = e->start;
	m->end = e->end;
	m->offset = e->offset;
	m->inode = e->inode;
	m->dev_major = e->dev_major;
	m->dev_minor = e->dev_minor;
	result = module_read_elf(m, e);
	if (result) {
		module_free(m);
		return result;
	}
	*out = m;
	return 0;
}

int module_open_file(const char *path, struct module **out)
{
	int fd = regular_file_open(path), result;
	struct elf_file *elf;
	struct module *m;

	if (fd < 0)
		return fd;
	result = elf_file_open(fd, &elf);
	close(fd);
	if (result)
		return result;
	result = module_new(MODULE_KIND_FILE, path, &m);
	if (result) {
		elf_file_free(elf);
		return result;
	}
	set_elf(m, elf);
	result = target_root_ours(&m->root);
	if (result) {
		module_free(m);
		return result;
	}
	*out = m;
	return 0;
}

static const struct map_entry *find_entry(const map_vec *maps, u64 start, u64 end)
{
	vec_for_each(maps, e) {
		if (e->start == start && e->end == end)
			return e;
	}
	return NULL;
}

int module_open_mapped(pid_t tgid, u64 start, u64 end, struct module **out)
{
	const struct map_entry *e;
	map_vec maps = {0};
	int result = maps_read(tgid, &maps);

	if (!result) {
		e = find_entry(&maps, start, end);
		result = e ? module_open_entry(tgid, e, out) : -ESTALE;
	}
	maps_release(&maps);
	return result;
}

/* Every process has the same vdso (of its word size), so ours serves for all. */
static int vdso_find(struct map_entry *out)
{
	u64 start = getauxval(AT_SYSINFO_EHDR);
	map_vec maps = {0};
	int result = maps_read(getpid(), &maps);

	if (!result)
		result = -ENOENT;
	vec_for_each(&maps, e) {
		if (start && e->start == start && !strcmp(e->path, "[vdso]")) {
			*out = *e;
			out->path = NULL;
			result = 0;
		}
	}
	maps_release(&maps);
	return result;
}

static int vdso_open(struct module *m)
{
	struct map_entry e = {0};
	struct elf_file *elf;
	int result = vdso_find(&e);

	if (result)
		return result;
	result = elf_file_open_memory(
		(struct bytes){(const u8 *)(uintptr_t)e.start, (size_t)(e.end - e.start)}, &elf);
	if (result)
		return result;
	m->start = e.start;
	m->end = e.end;
	set_elf(m, elf);
	return 0;
}

int module_new_special(enum module_kind kind, pid_t tgid, struct module **out)
{
	static const char *const paths[] = {
		[MODULE_KIND_KERNEL] = "[kernel.kallsyms]",
		[MODULE_KIND_VDSO] = "[vdso]",
		[MODULE_KIND_JIT] = "//anon",
		[MODULE_KIND_NONE] = "[unknown]",
	};
	struct module *m;
	int result;

	if ((size_t)kind >= ARRAY_LEN(paths) || !paths[kind])
		return -EINVAL;
	result = module_new(kind, paths[kind], &m);
	if (result)
		return result;
	if (kind == MODULE_KIND_JIT)
		set_owner(m, tgid);
	if (kind == MODULE_KIND_VDSO)
		result = vdso_open(m);
	if (result) {
		module_free(m);
		return result;
	}
	*out = m;
	return 0;
}

void module_free(struct module *m)
{
	if (!m)
		return;
	target_root_release(&m->root);
	elf_file_free(m->elf);
	free(m->path);
	free(m);
}
