/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lets this thread take the rights of another user over files for a moment. A process can show root
 * any file under any name (with its own mount namespace, and a user namespace in which it is root).
 * So what is opened on its behalf is opened as its user, and the kernel then allows no more than
 * that user could read before.
 */
#ifndef CPROF_BASE_FILE_USER_H
#define CPROF_BASE_FILE_USER_H

#include <sys/types.h>

#include "base/types.h"

struct file_user {
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* supplementary; owned */
	size_t ngroups;
};

/* Records what file_user_assume changed. */
struct file_rights {
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t ngroups;
	u32 capabilities[2]; /* effective */
	int dumpable; /* prctl(2), PR_GET_DUMPABLE */
	bool regrouped; /* the supplementary groups were replaced */
};

/*
 * Makes this thread open files as `user` until file_user_return, without any capability over files
 * (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH). Other threads are not affected. Returns -EPERM if the
 * thread may not change its user (CAP_SETUID, CAP_SETGID); nothing has changed then.
 */
int file_user_assume(const struct file_user *user, struct file_rights *saved) MUST_CHECK;
void file_user_return(struct file_rights *saved);

/* Returns whether the mode of a file lets `user` read it. It is meant for callers that cannot
 * become that user. */
struct stat;
bool file_user_may_read(const struct file_user *user, const struct stat *st);

void file_user_release(struct file_user *user);

#endif
