/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stuck_fs SOURCE STUCK MOUNTPOINT is a FUSE file system that shows the directory SOURCE read-only.
 * While the file STUCK exists, the requests that it names ("getattr open read readlink statfs", any
 * of them) are not answered, like those to a server that is gone.
 */
#define FUSE_USE_VERSION 31
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static char source[4096], stuck[4096];

static int is_stuck(const char *request)
{
	char text[200] = "";
	int fd = open(stuck, O_RDONLY);
	ssize_t got = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	return got > 0 && strstr(text, request);
}

static void answer(const char *request)
{
	while (is_stuck(request))
		usleep(20000);
}

static const char *place(const char *path, char out[8192])
{
	snprintf(out, 8192, "%s%s", source, path);
	return out;
}

static int on_getattr(const char *path, struct stat *st, struct fuse_file_info *info)
{
	char full[8192];

	(void)info;
	answer("getattr");
	return lstat(place(path, full), st) ? -errno : 0;
}

static int on_readlink(const char *path, char *out, size_t size)
{
	char full[8192];
	ssize_t len;

	answer("readlink");
	len = readlink(place(path, full), out, size - 1);
	if (len < 0)
		return -errno;
	out[len] = '\0';
	return 0;
}

static int on_open(const char *path, struct fuse_file_info *info)
{
	char full[8192];
	int fd;

	answer("open");
	fd = open(place(path, full), O_RDONLY);
	if (fd < 0)
		return -errno;
	info->fh = (uint64_t)fd;
	return 0;
}

static int on_read(const char *path, char *out, size_t size, off_t at, struct fuse_file_info *info)
{
	ssize_t got;

	(void)path;
	answer("read ");
	got = pread((int)info->fh, out, size, at);
	return got < 0 ? -errno : (int)got;
}

static int on_release(const char *path, struct fuse_file_info *info)
{
	(void)path;
	close((int)info->fh);
	return 0;
}

static int on_statfs(const char *path, struct statvfs *st)
{
	char full[8192];

	answer("statfs");
	return statvfs(place(path, full), st) ? -errno : 0;
}

static int on_readdir(const char *path, void *out, fuse_fill_dir_t fill, off_t at,
		      struct fuse_file_info *info, enum fuse_readdir_flags flags)
{
	char full[8192];
	DIR *d = opendir(place(path, full));
	struct dirent *e;

	(void)at, (void)info, (void)flags;
	if (!d)
		return -errno;
	while ((e = readdir(d)))
		fill(out, e->d_name, NULL, 0, 0);
	closedir(d);
	return 0;
}

static const struct fuse_operations operations = {
	.getattr = on_getattr,
	.readlink = on_readlink,
	.open = on_open,
	.read = on_read,
	.release = on_release,
	.statfs = on_statfs,
	.readdir = on_readdir,
};

int main(int argc, char **argv)
{
	/* Attributes are not cached, so every stat() sends a request, as with NFS after a while. */
	char *options[] = {argv[0],
			   "-f",
			   "-o",
			   "ro,allow_other,attr_timeout=0,entry_timeout=0",
			   argc > 3 ? argv[3] : "",
			   NULL};

	if (argc < 4)
		return 2;
	snprintf(source, sizeof(source), "%s", argv[1]);
	snprintf(stuck, sizeof(stuck), "%s", argv[2]);
	return fuse_main(5, options, &operations, NULL);
}
