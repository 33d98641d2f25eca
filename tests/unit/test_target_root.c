/* SPDX-License-Identifier: Apache-2.0 */
/* Files below a target's root, which are read with its user's rights and no others. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/target_root.h"
#include "child_fixture.h"
#include "fixture.h"
#include "target/process_root.h"

#define USER 4711
#define GROUP 4712
#define EXTRA 4713

static gid_t extra_groups[] = {EXTRA};

/* Makes the fixture's directory the root of a process of USER, GROUP and EXTRA. */
static struct target_root open_root(void)
{
	struct target_root root = {.user = {.uid = USER, .gid = GROUP, .ngroups = 1}};

	if (geteuid())
		unit_skip("needs root");
	root.user.groups = malloc(sizeof(extra_groups));
	CHECK(root.user.groups);
	memcpy(root.user.groups, extra_groups, sizeof(extra_groups));
	CHECK_INT(chmod(fixture_dir(), 0755), 0);
	root.fd = open(fixture_dir(), O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(root.fd >= 0);
	return root;
}

static void make_file(const char *name, uid_t uid, gid_t gid, mode_t mode)
{
	const char *path = fixture_write(name, "x", 1);

	CHECK_INT(chown(path, uid, gid), 0);
	CHECK_INT(chmod(path, mode), 0);
}

/* Returns 0 if the file can be read, else the error. */
static int try(const struct target_root *root, const char *path)
{
	int fd = target_root_open(root, path, TARGET_PATH_LINKS);
	char byte;

	if (fd < 0)
		return fd;
	CHECK_INT(read(fd, &byte, 1), 1);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	return 0;
}

/* Reads the lines of /proc/thread-self/status that give the rights of this thread. */
static void read_rights(char *out, size_t size)
{
	FILE *f = fopen("/proc/thread-self/status", "r");
	char line[4096];
	size_t used = 0;

	CHECK(f);
	out[0] = '\0';
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "Uid:", 4) || !strncmp(line, "Gid:", 4) ||
		    !strncmp(line, "Groups:", 7) || !strncmp(line, "Cap", 3))
			used += (size_t)snprintf(out + used, size - used, "%s", line);
	}
	fclose(f);
}

TEST(target_root, reads_what_its_user_may_read)
{
	struct target_root root = open_root();

	make_file("open", 0, 0, 0644);
	make_file("secret", 0, 0, 0600);
	make_file("own", USER, 0, 0400);
	make_file("by_group", 0, GROUP, 0640);
	make_file("by_extra", 0, EXTRA, 0640);
	make_file("closed", USER, GROUP, 0);
	fixture_run("mkdir -m 700 private && echo x >private/open");
	CHECK_INT(try(&root, "open"), 0);
	CHECK_INT(try(&root, "/own"), 0);
	CHECK_INT(try(&root, "by_group"), 0);
	CHECK_INT(try(&root, "by_extra"), 0);
	CHECK_INT(try(&root, "secret"), -EACCES);
	CHECK_INT(try(&root, "closed"), -EACCES);
	CHECK_INT(try(&root, "private/open"), -EACCES);
	CHECK_INT(try(&root, "none"), -ENOENT);
	target_root_release(&root);
	CHECK_INT(try(&root, "open"), -ENOENT);
}

TEST(target_root, gives_all_rights_back)
{
	struct target_root root = open_root();
	char before[8192], after[8192];

	make_file("open", 0, 0, 0644);
	make_file("secret", 0, 0, 0600);
	read_rights(before, sizeof(before));
	CHECK_INT(try(&root, "open"), 0);
	CHECK_INT(try(&root, "secret"), -EACCES);
	read_rights(after, sizeof(after));
	CHECK_STR(after, before);
	CHECK_INT(prctl(PR_GET_DUMPABLE), 1);
	CHECK_INT(access(fixture_path("secret"), R_OK), 0);
	target_root_release(&root);
}

static void *watch_rights(void *arg)
{
	char before[8192], now[8192];
	bool *stop = arg;

	read_rights(before, sizeof(before));
	while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) {
		read_rights(now, sizeof(now));
		CHECK_STR(now, before);
	}
	return NULL;
}

TEST(target_root, leaves_other_threads_alone)
{
	struct target_root root = open_root();
	pthread_t thread;
	bool stop = false;

	make_file("open", 0, 0, 0644);
	CHECK_INT(pthread_create(&thread, NULL, watch_rights, &stop), 0);
	for (int i = 0; i < 300; i++)
		CHECK_INT(try(&root, "open"), 0);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	target_root_release(&root);
}

TEST(target_root, root_itself_needs_no_capability)
{
	struct target_root root = open_root();

	root.user.uid = 0;
	make_file("secret", 0, 0, 0600);
	make_file("of_others", USER, GROUP, 0600);
	CHECK_INT(try(&root, "secret"), 0);
	/* The root user of a container has no power over files of others. */
	CHECK_INT(try(&root, "of_others"), -EACCES);
	target_root_release(&root);
}

TEST(target_root, who_cannot_become_the_user_goes_by_modes)
{
	struct target_root root = open_root();
	char ours[4096];
	int status;
	pid_t pid;

	make_file("open", 0, 0, 0644);
	make_file("by_group", 0, GROUP, 0640);
	make_file("ours", USER + 1, 0, 0600);
	snprintf(ours, sizeof(ours), "%s", fixture_path("ours"));
	pid = fork();
	if (!pid) {
		gid_t groups[] = {GROUP};

		CHECK_INT(setgroups(1, groups), 0);
		CHECK_INT(setgid(GROUP), 0);
		CHECK_INT(setuid(USER + 1), 0);
		CHECK_INT(access(ours, R_OK), 0);
		CHECK_INT(try(&root, "open"), 0);
		CHECK_INT(try(&root, "by_group"), 0);
		CHECK_INT(try(&root, "ours"), -EACCES);
		_exit(0);
	}
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK_INT(status, 0);
	target_root_release(&root);
}

TEST(target_root, only_regular_files_within_the_root)
{
	struct target_root root = open_root();

	make_file("open", 0, 0, 0644);
	fixture_run("mkdir inner; ln -s ../../../../../../open inner/up; ln -s /open absolute; "
		    "mkfifo -m 666 fifo; ln -s /proc/self/exe magic");
	CHECK_INT(try(&root, "inner/up"), 0);
	CHECK_INT(try(&root, "absolute"), 0);
	CHECK_INT(try(&root, "fifo"), -EINVAL);
	CHECK_INT(try(&root, "inner"), -EINVAL);
	CHECK(try(&root, "magic") < 0);
	CHECK_INT(target_root_open(&root, "absolute", TARGET_PATH_NO_LINKS), -ELOOP);
	target_root_release(&root);
}

/* ---- ownership ------------------------------------------------------------------------------- */

struct users {
	uid_t real, effective;
};

static void sleep_as(int ready, const void *arg)
{
	const struct users *users = arg;

	CHECK_INT(setgroups(1, extra_groups), 0);
	CHECK_INT(setgid(GROUP), 0);
	CHECK_INT(setresuid(users->real, users->effective, users->effective), 0);
	child_sleep(ready);
}

static void check_owner(uid_t real, uid_t effective, uid_t want)
{
	pid_t pid = child_start(sleep_as, &(struct users){real, effective});
	struct target_root root;

	CHECK_INT(process_root_open(pid, &root), 0);
	CHECK_INT(root.user.uid, want);
	CHECK_INT(root.user.gid, GROUP);
	CHECK_INT(root.user.ngroups, 1);
	CHECK_INT(root.user.groups[0], EXTRA);
	target_root_release(&root);
	child_end(pid);
}

TEST(target_root, belongs_to_the_user_who_decides)
{
	if (geteuid())
		unit_skip("needs root");
	check_owner(USER, USER, USER);
	/* These are a daemon that has dropped its rights for a while, and a user's setuid-root
	 * program. */
	check_owner(0, USER, USER);
	check_owner(USER, 0, USER);
	check_owner(0, 0, 0);
}
