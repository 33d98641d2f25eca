/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that read files for cprof: what they return, and what happens if they do not answer. */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/readers.h"

#define SIZE 300001u /* some blocks, and a bit */

static u8 byte_at(u64 i)
{
	return (u8)(i * 31 + (i >> 8) * 17 + 1);
}

static void make_file(const char *path)
{
	FILE *f = fopen(path, "w");

	CHECK(f);
	for (u64 i = 0; i < SIZE; i++)
		fputc(byte_at(i), f);
	CHECK(!fclose(f));
}

static void enter_directory(void)
{
	char dir[] = "/tmp/cprof-unit-XXXXXX";

	CHECK(mkdtemp(dir));
	CHECK(!chdir(dir));
}

static void leave_directory(void)
{
	char command[4200], dir[4096];

	CHECK(getcwd(dir, sizeof(dir)));
	CHECK(!chdir("/"));
	snprintf(command, sizeof(command), "rm -rf --one-file-system '%s'", dir);
	CHECK(!system(command));
}

static double seconds(void)
{
	return (double)monotonic_ns() * 1e-9;
}

/* ---- openers, which run in the reader */

static int open_path(const void *arg, size_t size, const int *fds, u32 nfds)
{
	int fd = open(arg, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	(void)size, (void)fds, (void)nfds;
	return fd < 0 ? -errno : fd;
}

static int open_below(const void *arg, size_t size, const int *fds, u32 nfds)
{
	int fd = nfds == 1 ? openat(fds[0], arg, O_RDONLY | O_CLOEXEC) : -1;

	(void)size;
	return fd < 0 ? -errno : fd;
}

/* Does not answer, but does not outlive the test either. */
static int never(const void *arg, size_t size, const int *fds, u32 nfds)
{
	(void)arg, (void)size, (void)fds, (void)nfds;
	sleep(20);
	_exit(0);
}

static int count_open(const void *arg, size_t size, const int *fds, u32 nfds)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	(void)arg, (void)size, (void)fds, (void)nfds;
	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
		n += e->d_name[0] != '.';
	if (getsid(0) != getpid())
		return -1000;
	return -(n - 1); /* the directory's own */
}

static int die(const void *arg, size_t size, const int *fds, u32 nfds)
{
	(void)arg, (void)size, (void)fds, (void)nfds;
	kill(getpid(), SIGKILL);
	return -1;
}

static struct file_opener opener(int (*open)(const void *, size_t, const int *, u32),
				 const char *path)
{
	return (struct file_opener){
		.open = open, .arg = path, .size = strlen(path) + 1, .place = path, .path = path};
}

static int open_by(struct readers *r, int (*open)(const void *, size_t, const int *, u32),
		   const char *path, struct input_file *f)
{
	const struct file_opener o = opener(open, path);

	return readers_open(r, &o, f);
}

static void check_content(struct input_file *f)
{
	u8 *all = malloc(SIZE + 10), part[100];

	CHECK(all);
	CHECK_INT(f->size, SIZE);
	CHECK_INT(input_file_read(f, part, sizeof(part), 123456), sizeof(part));
	for (u64 i = 0; i < sizeof(part); i++)
		CHECK_INT(part[i], byte_at(123456 + i));
	CHECK_INT(input_file_read(f, all, SIZE + 10, 0), SIZE);
	for (u64 i = 0; i < SIZE; i++)
		CHECK_INT(all[i], byte_at(i));
	CHECK_INT(input_file_read(f, part, sizeof(part), SIZE - 7), 7);
	CHECK_INT(input_file_read(f, part, sizeof(part), SIZE + 1000), 0);
	free(all);
}

static struct readers *new_readers(void)
{
	struct readers *r;

	CHECK_INT(readers_new(&r), 0);
	return r;
}

/* ---- files of a local file system come as descriptors */

TEST(readers, a_local_file_is_handed_over)
{
	struct readers *r = new_readers();
	struct input_file f;
	int dir;

	enter_directory();
	make_file("file");
	CHECK_INT(readers_start(r), 0);
	CHECK_INT(open_by(r, open_path, "/proc/self/exe", &f), 0);
	CHECK(f.fd >= 0 && !f.served);
	CHECK(!input_file_image(&f).data);
	input_file_close(&f);
	dir = open(".", O_PATH | O_DIRECTORY);
	struct file_opener o = opener(open_below, "file");

	o.fds = &dir;
	o.nfds = 1;
	CHECK_INT(readers_open(r, &o, &f), 0);
	CHECK(f.fd >= 0);
	check_content(&f);
	input_file_close(&f);
	close(dir);
	readers_free(r);
	leave_directory();
}

TEST(readers, what_cannot_be_opened)
{
	struct readers *r = new_readers();
	struct readers_unanswered u;
	struct input_file f;

	enter_directory();
	CHECK(!mkfifo("fifo", 0600));
	CHECK_INT(open_by(r, open_path, "/nonexistent", &f), -ENOENT);
	CHECK_INT(open_by(r, open_path, "/", &f), -EINVAL);
	CHECK_INT(open_by(r, open_path, "/dev/null", &f), -EINVAL);
	CHECK_INT(f.fd, -1);
	readers_unanswered(r, &u);
	CHECK_INT(u.files, 0);
	readers_free(r);
	leave_directory();
}

TEST(readers, they_inherit_nothing)
{
	struct readers *r = new_readers();
	struct input_file f;
	int pipes[2];

	CHECK(!pipe(pipes));
	/* Its socket is open under four numbers. */
	CHECK_INT(open_by(r, count_open, "x", &f), -4);
	readers_free(r);
}

TEST(readers, one_that_dies_is_replaced)
{
	struct readers *r = new_readers();
	struct input_file f;

	CHECK_INT(open_by(r, die, "x", &f), -EAGAIN);
	CHECK_INT(open_by(r, open_path, "/nonexistent", &f), -ENOENT);
	readers_free(r);
}

/* ---- readers that do not answer */

TEST(readers, a_place_that_does_not_answer_is_not_tried_again)
{
	struct readers *r = new_readers();
	struct readers_unanswered u;
	double begin = seconds();
	struct input_file f;

	CHECK_INT(open_by(r, never, "/stuck/place", &f), -ETIMEDOUT);
	CHECK(seconds() - begin >= READERS_ANSWER_MS * 1e-3);
	begin = seconds();
	CHECK_INT(open_by(r, open_path, "/stuck/place", &f), -ETIMEDOUT);
	CHECK(seconds() - begin < READERS_ANSWER_MS * 1e-3);
	CHECK_INT(open_by(r, open_path, "/nonexistent", &f), -ENOENT);
	readers_unanswered(r, &u);
	CHECK_INT(u.files, 1);
	CHECK_STR(u.paths[0], "/stuck/place");
	begin = seconds();
	readers_free(r);
	CHECK(seconds() - begin < READERS_ANSWER_MS * 1e-3);
}

TEST(readers, a_device_that_does_not_answer_leaves_others_alone)
{
	struct file_opener stuck = opener(never, "/a/stuck"), same = opener(open_path, "/a/other"),
			   other = opener(open_path, "/nonexistent");
	struct readers *r = new_readers();
	struct readers_unanswered u;
	struct input_file f;

	stuck.device = same.device = 41;
	other.device = 42;
	CHECK_INT(readers_open(r, &other, &f), -ENOENT);
	CHECK_INT(readers_open(r, &stuck, &f), -ETIMEDOUT);
	CHECK_INT(readers_open(r, &same, &f), -ETIMEDOUT);
	CHECK_INT(readers_open(r, &other, &f), -ENOENT);
	readers_unanswered(r, &u);
	CHECK_INT(u.files, 2);
	CHECK_STR(u.paths[1], "/a/other");
	readers_free(r);
}

/* ---- files that are copied */

/*
 * In a separate mount namespace it mounts a FUSE file system without a server, so that not every
 * file system is local, and an overlay, which is copied from then on.
 */
static void mount_overlay(void)
{
	int fuse = open("/dev/fuse", O_RDWR);
	char options[100];

	if (geteuid() || fuse < 0 || unshare(CLONE_NEWNS))
		unit_skip("needs root and /dev/fuse");
	CHECK(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	CHECK(!mkdir("fuse", 0755) && !mkdir("lower", 0755) && !mkdir("empty", 0755) &&
	      !mkdir("merged", 0755));
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
	if (mount("stuck", "fuse", "fuse", 0, options) ||
	    mount("overlay", "merged", "overlay", MS_RDONLY, "lowerdir=lower:empty"))
		unit_skip("cannot mount FUSE and overlayfs here");
}

TEST(readers, a_file_elsewhere_is_copied_as_it_is_asked_for)
{
	struct readers *r = new_readers();
	struct input_file f;
	struct bytes image;

	enter_directory();
	mount_overlay();
	make_file("lower/file");
	CHECK_INT(open_by(r, open_path, "merged/file", &f), 0);
	CHECK(f.fd < 0 && f.served);
	CHECK_INT(f.size, SIZE);
	CHECK_INT(f.links, 1);
	image = input_file_image(&f);
	CHECK_INT(image.len, SIZE);
	CHECK_INT(image.data[0], 0); /* nothing is there yet */
	CHECK_INT(input_file_fetch(&f, 200000, 1), 0);
	CHECK_INT(image.data[200000], byte_at(200000));
	CHECK_INT(image.data[0], 0);
	CHECK_INT(input_file_fetch(&f, 0, SIZE + 1), -EINVAL);
	CHECK_INT(input_file_fetch(&f, SIZE, 0), 0);
	check_content(&f);
	input_file_close(&f);
	readers_free(r);
	CHECK(!umount2("merged", MNT_DETACH) && !umount2("fuse", MNT_DETACH));
	leave_directory();
}

static void *read_all(void *arg)
{
	struct input_file *f = arg;

	for (u64 at = 0; at < SIZE; at += 4099) {
		u8 part[64];
		ssize_t got = input_file_read(f, part, sizeof(part), at);

		CHECK(got > 0);
		for (ssize_t i = 0; i < got; i++)
			CHECK_INT(part[i], byte_at(at + (u64)i));
	}
	return NULL;
}

TEST(readers, several_threads_read_one_file)
{
	struct readers *r = new_readers();
	struct input_file f;
	pthread_t threads[4];

	enter_directory();
	mount_overlay();
	make_file("lower/file");
	CHECK_INT(open_by(r, open_path, "merged/file", &f), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		CHECK(!pthread_create(&threads[i], NULL, read_all, &f));
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		CHECK(!pthread_join(threads[i], NULL));
	input_file_close(&f);
	readers_free(r);
	CHECK(!umount2("merged", MNT_DETACH) && !umount2("fuse", MNT_DETACH));
	leave_directory();
}

TEST(readers, a_file_system_that_does_not_answer)
{
	struct readers *r = new_readers();
	double begin = seconds();
	struct input_file f;

	enter_directory();
	mount_overlay();
	CHECK_INT(open_by(r, open_path, "fuse/file", &f), -ETIMEDOUT);
	CHECK(seconds() - begin >= READERS_ANSWER_MS * 1e-3);
	begin = seconds();
	readers_free(r);
	CHECK(seconds() - begin < READERS_ANSWER_MS * 1e-3);
	CHECK(!umount2("merged", MNT_DETACH) && !umount2("fuse", MNT_DETACH));
	leave_directory();
}

TEST(readers, which_devices_need_them)
{
	struct readers *r = new_readers();
	struct stat st;

	enter_directory();
	mount_overlay();
	CHECK(!stat("lower", &st));
	CHECK(readers_device_is_local(r, getpid(), major(st.st_dev), minor(st.st_dev)));
	CHECK(!readers_device_is_local(r, getpid(), 4000, 77));
	/* What is mounted later counts from then on. */
	CHECK(!mkdir("later", 0755));
	CHECK(!mount("later", "later", "tmpfs", 0, NULL));
	CHECK(!stat("later", &st));
	CHECK(readers_device_is_local(r, getpid(), major(st.st_dev), minor(st.st_dev)));
	readers_free(r);
	CHECK(!umount2("later", 0) && !umount2("merged", MNT_DETACH) &&
	      !umount2("fuse", MNT_DETACH));
	leave_directory();
}
