/* SPDX-License-Identifier: Apache-2.0 */
/* Sorts file systems by whether the kernel answers for them alone: see mounts.h. */
#include "base/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define TEXT_MAX (64u << 20)
#define MAGIC_UNKNOWN 0 /* for types that have no number in linux/magic.h, or share one */

/*
 * The kernel serves these types without anybody else's help, however slow their disk is. A type
 * that is not listed counts as one that may not answer, which costs a copy of what is read.
 */
static const struct local_type {
	const char *name;
	u64 magic;
} local_types[] = {
	{"ext4", EXT4_SUPER_MAGIC},
	{"ext3", EXT4_SUPER_MAGIC},
	{"ext2", EXT4_SUPER_MAGIC},
	{"xfs", 0x58465342},
	{"btrfs", BTRFS_SUPER_MAGIC},
	{"tmpfs", TMPFS_MAGIC},
	{"ramfs", RAMFS_MAGIC},
	{"rootfs", MAGIC_UNKNOWN},
	{"devtmpfs", MAGIC_UNKNOWN},
	{"hugetlbfs", HUGETLBFS_MAGIC},
	{"squashfs", SQUASHFS_MAGIC},
	{"erofs", EROFS_SUPER_MAGIC_V1},
	{"cramfs", CRAMFS_MAGIC},
	{"iso9660", ISOFS_SUPER_MAGIC},
	{"udf", UDF_SUPER_MAGIC},
	{"vfat", MSDOS_SUPER_MAGIC},
	{"msdos", MSDOS_SUPER_MAGIC},
	{"exfat", EXFAT_SUPER_MAGIC},
	{"ntfs3", 0x7366746e},
	{"f2fs", F2FS_SUPER_MAGIC},
	{"bcachefs", 0xca451a4e},
	{"zfs", 0x2fc12fc1},
	{"jfs", 0x3153464a},
	{"nilfs2", NILFS_SUPER_MAGIC},
	{"reiserfs", REISERFS_SUPER_MAGIC},
	{"minix", MINIX3_SUPER_MAGIC},
	{"proc", PROC_SUPER_MAGIC},
	{"sysfs", SYSFS_MAGIC},
	/* These hold no programs, but every machine has them mounted. */
	{"cgroup", CGROUP_SUPER_MAGIC},
	{"cgroup2", CGROUP2_SUPER_MAGIC},
	{"devpts", DEVPTS_SUPER_MAGIC},
	{"mqueue", MAGIC_UNKNOWN},
	{"debugfs", DEBUGFS_MAGIC},
	{"tracefs", TRACEFS_MAGIC},
	{"securityfs", SECURITYFS_MAGIC},
	{"selinuxfs", SELINUX_MAGIC},
	{"bpf", BPF_FS_MAGIC},
	{"pstore", PSTOREFS_MAGIC},
	{"efivarfs", EFIVARFS_MAGIC},
	{"configfs", MAGIC_UNKNOWN},
	{"fusectl", MAGIC_UNKNOWN},
	{"binfmt_misc", BINFMTFS_MAGIC},
	{"nsfs", NSFS_MAGIC},
	{"rpc_pipefs", MAGIC_UNKNOWN},
};

bool mounts_type_is_local(const char *type)
{
	for (size_t i = 0; i < ARRAY_LEN(local_types); i++) {
		if (!strcmp(type, local_types[i].name))
			return true;
	}
	return false;
}

bool mounts_magic_is_local(u64 magic)
{
	for (size_t i = 0; i < ARRAY_LEN(local_types); i++) {
		if (local_types[i].magic != MAGIC_UNKNOWN && magic == local_types[i].magic)
			return true;
	}
	return false;
}

/* ---- the text of mountinfo ------------------------------------------------------------------- */

/* Spaces, tabs, newlines and backslashes are written in octal (fs/proc_namespace.c, mangle()). */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' &&
		    from[2] <= '7' && from[3] >= '0' && from[3] <= '7') {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* Splits "ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [OPTIONAL...] - TYPE SOURCE OPTIONS"; false if
 * the line does not have that form. */
static bool split(char *line, struct mount_point *m, char **point, char **type, char **options)
{
	char *rest = strstr(line, " - "), *save = NULL, *save_rest = NULL, *device;

	if (!rest)
		return false;
	*rest = '\0';
	*type = strtok_r(rest + 3, " ", &save_rest);
	strtok_r(NULL, " ", &save_rest);
	*options = strtok_r(NULL, " ", &save_rest);
	strtok_r(line, " ", &save);
	strtok_r(NULL, " ", &save);
	device = strtok_r(NULL, " ", &save);
	strtok_r(NULL, " ", &save);
	*point = strtok_r(NULL, " ", &save);
	return *type && device && *point &&
	       sscanf(device, "%u:%u", &m->dev_major, &m->dev_minor) == 2;
}

static int take_line(char *line, struct mounts *out)
{
	struct mount_point m = {0};
	char *point, *type, *options;

	if (!split(line, &m, &point, &type, &options))
		return 0;
	unescape(point);
	m.overlay = !strcmp(type, "overlay");
	m.local = mounts_type_is_local(type);
	m.path = strdup(point);
	m.dirs = m.overlay ? strdup(options ? options : "") : NULL;
	if (m.path && (!m.overlay || m.dirs) && !vec_push(&out->points, m))
		return 0;
	free(m.path);
	free(m.dirs);
	return -ENOMEM;
}

/* ---- overlays -------------------------------------------------------------------------------- */

static const struct mount_point *point_of(const struct mounts *m, const char *path)
{
	const struct mount_point *best = NULL;
	size_t longest = 0;

	vec_for_each(&m->points, p) {
		size_t len = strlen(p->path);

		if (len && p->path[len - 1] == '/')
			len--;
		/* If several are mounted at one place, only the last one is visible. */
		if (!strncmp(path, p->path, len) && (!path[len] || path[len] == '/') &&
		    (!best || len >= longest)) {
			best = p;
			longest = len;
		}
	}
	return best;
}

/* If the path of an overlay's layer cannot be resolved here, the layer is not known to answer. */
static bool layer_is_local(const struct mounts *ours, char *dir)
{
	const struct mount_point *p;

	unescape(dir);
	p = dir[0] == '/' ? point_of(ours, dir) : NULL;
	return p && p->local;
}

static bool option_is_local(const struct mounts *ours, char *option)
{
	static const char *const names[] = {"lowerdir=", "lowerdir+=", "datadir+=", "upperdir="};
	char *save = NULL;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t len = strlen(names[i]);
		char *dir;

		if (strncmp(option, names[i], len) != 0)
			continue;
		dir = strtok_r(option + len, ":", &save);
		for (; dir; dir = strtok_r(NULL, ":", &save)) {
			if (!layer_is_local(ours, dir))
				return false;
		}
	}
	return true;
}

/* If everything that we see answers, then so do the layers that lie where we cannot see. */
static bool overlay_is_local(const struct mounts *ours, char *dirs)
{
	char *save = NULL, *option = strtok_r(dirs, ",", &save);

	for (; option; option = strtok_r(NULL, ",", &save)) {
		if (!option_is_local(ours, option))
			return false;
	}
	return true;
}

static bool others_are_local(const struct mounts *m)
{
	vec_for_each(&m->points, p) {
		if (!p->local && !p->overlay)
			return false;
	}
	return true;
}

/* The order is that of mounting, because the layers of an overlay may lie on earlier overlays. */
static void judge_overlays(const struct mounts *ours, struct mounts *out)
{
	bool all = others_are_local(ours) && others_are_local(out);

	vec_for_each(&out->points, p) {
		if (p->dirs)
			p->local = all || overlay_is_local(ours, p->dirs);
		free(p->dirs);
		p->dirs = NULL;
	}
}

/*
 * Files without a name (memfd_create(2), shared anonymous memory) lie on the kernel's own tmpfs,
 * which is not mounted anywhere.
 */
static int add_kernel_tmpfs(struct mounts *out)
{
	struct mount_point m = {.local = true};
	int fd = memfd_create("cprof", MFD_CLOEXEC);
	struct stat st = {0};
	int err = fd < 0 || fstat(fd, &st) ? -errno : 0;

	if (fd >= 0)
		close(fd);
	if (err)
		return err == -ENOMEM ? err
				      : 0; /* Such files are then read as if they were remote. */
	m.dev_major = major(st.st_dev);
	m.dev_minor = minor(st.st_dev);
	m.path = strdup("memfd:");
	if (m.path && !vec_push(&out->points, m))
		return 0;
	free(m.path);
	return -ENOMEM;
}

/* ---- all mounts ------------------------------------------------------------------------------ */

int mounts_parse(struct bytes text, const struct mounts *ours, struct mounts *out)
{
	const char *at = (const char *)text.data, *end = at + text.len;
	int err = 0;

	while (at < end && !err) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((newline ? newline : end) - at);
		char *line = strndup(at, len);

		err = line ? take_line(line, out) : -ENOMEM;
		free(line);
		at += len + 1;
	}
	judge_overlays(ours ? ours : out, out);
	return err;
}

static int read_all(int fd, struct mounts *out, const struct mounts *ours)
{
	VEC(u8) text = {0};
	ssize_t got = 1;
	int err = 0;

	while (got > 0 && text.len < TEXT_MAX && !err) {
		err = vec_reserve(&text, text.len + 16384);
		if (err)
			break;
		got = read(fd, text.data + text.len, text.cap - text.len);
		if (got < 0)
			err = -errno;
		text.len += got > 0 ? (size_t)got : 0;
	}
	if (!err)
		err = mounts_parse((struct bytes){text.data, text.len}, ours, out);
	vec_release(&text);
	return err;
}

int mounts_read(pid_t tgid, const struct mounts *ours, struct mounts *out)
{
	char path[48] = "/proc/self/mountinfo";
	int fd, err;

	if (tgid)
		snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)tgid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	err = read_all(fd, out, ours);
	close(fd);
	return err ? err : add_kernel_tmpfs(out);
}

void mounts_release(struct mounts *m)
{
	vec_for_each(&m->points, p) {
		free(p->path);
		free(p->dirs);
	}
	vec_release(&m->points);
}

static const struct mount_point *device_of(const struct mounts *m, u32 dev_major, u32 dev_minor)
{
	vec_for_each(&m->points, p) {
		if (p->dev_major == dev_major && p->dev_minor == dev_minor)
			return p;
	}
	return NULL;
}

bool mounts_has(const struct mounts *m, u32 dev_major, u32 dev_minor)
{
	return device_of(m, dev_major, dev_minor) != NULL;
}

bool mounts_is_local(const struct mounts *m, u32 dev_major, u32 dev_minor)
{
	const struct mount_point *p = device_of(m, dev_major, dev_minor);

	return p && p->local;
}

bool mounts_are_local(const struct mounts *m)
{
	vec_for_each(&m->points, p) {
		if (!p->local)
			return false;
	}
	return true;
}

bool mounts_path_is_local(const struct mounts *m, const char *path)
{
	const struct mount_point *p = point_of(m, path);

	return p && p->local;
}

const char *mounts_remote_point(const struct mounts *m, const char *path)
{
	const struct mount_point *p = point_of(m, path);

	return p && !p->local ? p->path : NULL;
}
