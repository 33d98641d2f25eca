/* SPDX-License-Identifier: Apache-2.0 */
/* Where output paths lead, in directories that other users write to. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "format/destination.h"
#include "format_fixture.h"

#define OTHER 4711

/* Only root can make links and files of another user. */
static void enter_dir_as_root(void)
{
	if (geteuid())
		unit_skip("needs root");
	unsetenv("SUDO_UID");
	unsetenv("PKEXEC_UID");
	fixture_enter();
}

static void link_of(uid_t owner, const char *aim, const char *name)
{
	CHECK_INT(symlink(aim, name), 0);
	CHECK_INT(lchown(name, owner, owner), 0);
}

static void fifo_of(uid_t owner, const char *name)
{
	CHECK_INT(mkfifo(name, 0600), 0);
	CHECK_INT(chown(name, owner, owner), 0);
}

/* Returns the kind of `path`, or the error. */
static int kind_of(const char *path, struct error *err)
{
	struct destination d;
	int code = destination_open(&d, path, err), kind = (int)d.kind;

	destination_release(&d);
	return code ? code : kind;
}

static void check_kind(const char *path, enum destination_kind want)
{
	struct error err = {0};

	CHECK_INT(kind_of(path, &err), want);
}

static void check_refused(const char *path, int code, const char *want)
{
	struct error err = {0};

	CHECK_INT(kind_of(path, &err), code);
	CHECK_STR(err.text, want);
}

static int write_to(const char *path, struct error *err)
{
	struct profile *p = fixture_profile();
	int code = format_write_file(p, &format_folded, NULL, path, err);

	profile_free(p);
	return code;
}

TEST(destination, of_ordinary_paths)
{
	fixture_enter();
	CHECK_INT(mkdir("d", 0755), 0);
	fixture_write("old", "old", 3);
	check_kind("new", DESTINATION_FILE);
	check_kind("old", DESTINATION_FILE);
	check_kind("d/../d/./new", DESTINATION_FILE);
	check_kind("/dev/null", DESTINATION_STREAM);
	check_kind("/dev/full", DESTINATION_STREAM);
	check_refused("", -ENOENT, "cannot write : no such file or directory");
	check_refused("d", -EISDIR, "cannot write d: is a directory");
	check_refused("d/", -EISDIR, "cannot write d/: is a directory");
	check_refused("d/..", -EISDIR, "cannot write d/..: is a directory");
	check_refused("/", -EISDIR, "cannot write /: is a directory");
	check_refused("none/x", -ENOENT, "cannot write none/x: no such file or directory");
	check_refused("old/x", -ENOTDIR, "cannot write old/x: not a directory");
}

TEST(destination, of_open_descriptors)
{
	char path[32];
	int fd = open("/dev/null", O_RDONLY), copy = open("/dev/null", O_WRONLY);

	check_kind("-", DESTINATION_DESCRIPTOR);
	check_kind("/dev/stdout", DESTINATION_DESCRIPTOR);
	check_kind("/dev/stderr", DESTINATION_DESCRIPTOR);
	snprintf(path, sizeof(path), "/dev/fd/%d", copy);
	check_kind(path, DESTINATION_DESCRIPTOR);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", copy);
	check_kind(path, DESTINATION_DESCRIPTOR);
	snprintf(path, sizeof(path), "/dev/fd/%d", fd);
	CHECK_INT(kind_of(path, NULL), -EBADF);
	check_refused("/dev/fd/999", -EBADF, "cannot write /dev/fd/999: bad file descriptor");
	close(fd);
	close(copy);
}

TEST(destination, what_a_process_has_open)
{
	char path[64], *have;
	int fd;

	fixture_enter();
	fixture_write("log", "begins\n", 7);
	fd = open("log", O_RDWR);
	/* Judged by its number alone, it would look like one of ours. */
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), fd);
	check_kind(path, DESTINATION_STREAM);
	CHECK_INT(write_to(path, NULL), 0);
	have = fixture_text("log");
	CHECK(!strncmp(have, "begins\nmain;", 12));
	free(have);
	close(fd);
}

TEST(destination, own_links_lead_to_fifos_and_directories)
{
	fixture_enter();
	CHECK_INT(mkfifo("fifo", 0600), 0);
	CHECK_INT(mkdir("d", 0755), 0);
	fixture_write("d/old", "old", 3);
	CHECK_INT(symlink("fifo", "to_fifo"), 0);
	CHECK_INT(symlink("to_fifo", "to_link"), 0);
	CHECK_INT(symlink("d", "to_d"), 0);
	CHECK_INT(symlink("d/old", "to_file"), 0);
	CHECK_INT(symlink("nowhere", "to_nothing"), 0);
	CHECK_INT(symlink("/dev/null", "to_null"), 0);
	CHECK_INT(symlink("a", "b"), 0);
	CHECK_INT(symlink("b", "a"), 0);
	check_kind("fifo", DESTINATION_STREAM);
	check_kind("to_fifo", DESTINATION_STREAM);
	check_kind("to_link", DESTINATION_STREAM);
	check_kind("to_null", DESTINATION_STREAM);
	check_kind("to_file", DESTINATION_FILE);
	check_kind("to_nothing", DESTINATION_FILE);
	check_kind("a", DESTINATION_FILE);
	check_refused("to_d", -EISDIR, "cannot write to_d: is a directory");
	check_refused("a/x", -ELOOP, "cannot write a/x: too many levels of symbolic links");
	CHECK_INT(write_to("to_d/new", NULL), 0);
	fixture_check_profile("d/new");
}

TEST(destination, another_users_links_are_replaced)
{
	struct stat st;
	char *have;

	enter_dir_as_root();
	CHECK_INT(mkfifo("fifo", 0600), 0);
	fixture_write("victim", "precious", 8);
	CHECK_INT(mkdir("d", 0755), 0);
	link_of(OTHER, "fifo", "to_fifo");
	link_of(OTHER, "/dev/null", "to_null");
	link_of(OTHER, "victim", "to_victim");
	link_of(OTHER, "d", "to_d");
	/* This is our link, which leads to one of theirs. */
	link_of(0, "to_null", "to_link");
	for (const char *const *name = (const char *const[]){"to_fifo", "to_victim", "to_link",
							     "to_null", "to_d", NULL};
	     *name; name++) {
		check_kind(*name, DESTINATION_FILE);
		CHECK_INT(write_to(*name, NULL), 0);
		CHECK_INT(lstat(*name, &st), 0);
		CHECK(S_ISREG(st.st_mode));
		fixture_check_profile(*name);
	}
	have = fixture_text("victim");
	CHECK_STR(have, "precious");
	free(have);
	CHECK_INT(lstat("fifo", &st), 0);
	CHECK(S_ISFIFO(st.st_mode));
}

TEST(destination, another_users_directory_links_are_refused)
{
	static const char text[] = "cannot write bad/x: a symbolic link of another user is in that "
				   "path (name the directory that is meant)";

	enter_dir_as_root();
	CHECK_INT(mkdir("d", 0755), 0);
	link_of(OTHER, "d", "bad");
	link_of(0, "bad", "good");
	check_refused("bad/x", -EPERM, text);
	CHECK_INT(kind_of("good/x", NULL), -EPERM);
	CHECK_INT(kind_of("bad/../x", NULL), -EPERM);
	CHECK_INT(write_to("bad/x", NULL), -EPERM);
	CHECK_INT(access("d/x", F_OK), -1);
	/* A directory of another user is not a link. */
	CHECK_INT(chown("d", OTHER, OTHER), 0);
	check_kind("d/x", DESTINATION_FILE);
}

TEST(destination, the_user_behind_sudo_is_trusted)
{
	enter_dir_as_root();
	CHECK_INT(mkdir("d", 0755), 0);
	link_of(OTHER, "d", "mine");
	link_of(OTHER + 1, "d", "theirs");
	setenv("SUDO_UID", "4711", 1);
	check_kind("mine/x", DESTINATION_FILE);
	CHECK_INT(kind_of("theirs/x", NULL), -EPERM);
}

TEST(destination, what_no_file_may_replace_is_refused)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "socket"};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	enter_dir_as_root();
	CHECK_INT(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	check_refused("socket", -EINVAL,
		      "cannot write socket: it is a socket (only files, FIFOs, terminals and "
		      "/dev/null are written)");
	if (mknod("disk", S_IFBLK | 0600, makedev(7, 200)) ||
	    mknod("memory", S_IFCHR | 0600, makedev(1, 1)))
		unit_skip("no device nodes can be made here");
	check_refused("disk", -EINVAL,
		      "cannot write disk: it is a device (only files, FIFOs, terminals and "
		      "/dev/null are written)");
	CHECK_INT(kind_of("memory", NULL), -EINVAL);
	link_of(0, "disk", "own");
	CHECK_INT(kind_of("own", NULL), -EINVAL);
	link_of(OTHER, "disk", "others");
	check_kind("others", DESTINATION_FILE);
	close(fd);
}

TEST(destination, a_fifo_in_a_shared_directory)
{
	enter_dir_as_root();
	CHECK_INT(mkdir("tmp", 0755), 0);
	fifo_of(OTHER, "tmp/theirs");
	fifo_of(0, "tmp/ours");
	check_kind("tmp/theirs", DESTINATION_STREAM);
	CHECK_INT(chmod("tmp", 01777), 0);
	check_kind("tmp/theirs", DESTINATION_FILE);
	check_kind("tmp/ours", DESTINATION_STREAM);
	CHECK_INT(chown("tmp", OTHER, OTHER), 0);
	check_kind("tmp/theirs", DESTINATION_STREAM);
}

/* The FIFO that was checked gets the profile, and not what has taken its name meanwhile. */
TEST(destination, swapped_after_the_look)
{
	struct profile *p = fixture_profile();
	struct destination to;
	int status, fd, bytes = 0;
	char *have, byte;
	pid_t pid;

	fixture_enter();
	CHECK_INT(mkfifo("fifo", 0600), 0);
	fixture_write("victim", "precious", 8);
	CHECK_INT(destination_open(&to, "fifo", NULL), 0);
	CHECK_INT(rename("fifo", "elsewhere"), 0);
	CHECK_INT(symlink("victim", "fifo"), 0);
	pid = fork();
	if (!pid)
		_exit(format_write_to(p, &format_folded, NULL, &to, NULL) ? 1 : 0);
	fd = open("elsewhere", O_RDONLY);
	while (read(fd, &byte, 1) == 1)
		bytes++;
	close(fd);
	CHECK(bytes > 20);
	destination_release(&to);
	have = fixture_text("victim");
	CHECK_STR(have, "precious");
	free(have);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK_INT(status, 0);
	/* This is the opposite case: a file was to be written, and a link has appeared. */
	CHECK_INT(unlink("fifo"), 0);
	CHECK_INT(destination_open(&to, "fifo", NULL), 0);
	CHECK_INT(symlink("victim", "fifo"), 0);
	CHECK_INT(format_write_to(p, &format_folded, NULL, &to, NULL), 0);
	destination_release(&to);
	have = fixture_text("victim");
	CHECK_STR(have, "precious");
	free(have);
	fixture_check_profile("fifo");
	profile_free(p);
}
