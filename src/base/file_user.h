/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rights of another user over files, taken by this thread for a moment. A process can show root any
 * file under any name (a mount namespace of its own, a user namespace to be root in), so what is opened on
 * its behalf is opened as its user, whom the kernel then lets read no more than before.
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

/* What file_user_assume changed. */
struct file_rights {
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t ngroups;
	u32 capabilities[2]; /* effective */
	int dumpable; /* prctl(2), PR_GET_DUMPABLE */
	bool regrouped; /* the supplementary groups were exchanged */
};

/*
 * From here to file_user_return this thread opens files as `user`, without any capability over files
 * (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH). Other threads are not affected. -EPERM: it may not change its
 * user (CAP_SETUID, CAP_SETGID); nothing has changed then.
 */
int file_user_assume(const struct file_user *user, struct file_rights *saved) MUST_CHECK;
void file_user_return(struct file_rights *saved);

/* Whether the mode of a file lets `user` read it, for who cannot become that user. */
struct stat;
bool file_user_may_read(const struct file_user *user, const struct stat *st);

void file_user_release(struct file_user *user);

#endif
