/* SPDX-License-Identifier: Apache-2.0 */
/* Checks what is mounted at /proc: see proc_fs.h. */
#include "target/proc_fs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Returns what /proc/self leads to, which is our number in the PID namespace that this /proc was
 * mounted for; 0 if there is none. */
static long own_number(void)
{
	char text[16];
	ssize_t len = readlink("/proc/self", text, sizeof(text) - 1);

	if (len <= 0)
		return 0;
	text[len] = '\0';
	return strtol(text, NULL, 10);
}

/*
 * After unshare(CLONE_NEWPID) or setns() the caller stays where it is, but its children start in
 * the other namespace. Threads cannot (clone(2), EINVAL), and the first child becomes the init of
 * the others.
 */
static bool children_are_elsewhere(void)
{
	struct stat own, children;

	return !stat("/proc/self/ns/pid", &own) &&
	       !stat("/proc/self/ns/pid_for_children", &children) && /* since Linux 4.12 */
	       own.st_ino != children.st_ino;
}

int proc_fs_check(struct error *err)
{
	struct statfs fs;

	if (statfs("/proc", &fs) || fs.f_type != PROC_SUPER_MAGIC)
		return error_set(err, -ENOENT,
				 "cannot read about processes: /proc is not mounted (as root: "
				 "mount -t proc proc /proc)");
	if (own_number() != getpid())
		return error_set(err, -ESRCH,
				 "cannot read about processes: /proc is that of another PID "
				 "namespace (as root: mount -t proc proc /proc)");
	if (children_are_elsewhere())
		return error_set(err, -EINVAL,
				 "cannot record: the processes that cprof starts would be in "
				 "another PID namespace than cprof (unshare --pid: add --fork)");
	return 0;
}

/* The first process belongs to root. Without hidepid everybody can see it. */
bool proc_fs_hides_processes(void)
{
	return access("/proc/1", F_OK) != 0;
}

/* A process that has gone gives ENOENT where its directory was, and ESRCH inside it. */
int proc_errno(void)
{
	return errno == ENOENT ? -ESRCH : -errno;
}

int proc_dir_open(pid_t pid)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? proc_errno() : fd;
}
