/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes and gives back rights over files: see file_user.h. It uses system calls that affect this
 * thread alone, because glibc's setgroups would change all threads.
 */
#include "base/file_user.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* An invalid number changes nothing and returns the present one (setfsuid(2)). */
#define CURRENT_ID ((uid_t)-1)

/* ---- one right at a time --------------------------------------------------------------------- */

static int become_user(uid_t uid)
{
	setfsuid(uid);
	return (uid_t)setfsuid(CURRENT_ID) == uid ? 0 : -EPERM;
}

static int become_group(gid_t gid)
{
	setfsgid(gid);
	return (gid_t)setfsgid(CURRENT_ID) == gid ? 0 : -EPERM;
}

static int set_groups(const gid_t *groups, size_t n)
{
	return syscall(SYS_setgroups, n, groups) ? -errno : 0;
}

static int get_groups(struct file_rights *r)
{
	int n = getgroups(0, NULL);

	r->groups = n > 0 ? malloc((size_t)n * sizeof(*r->groups)) : NULL;
	if (n > 0 && !r->groups)
		return -ENOMEM;
	n = n > 0 ? getgroups(n, r->groups) : n;
	r->ngroups = n > 0 ? (size_t)n : 0;
	return n < 0 ? -errno : 0;
}

static int get_capabilities(u32 effective[2], struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};

	if (syscall(SYS_capget, &head, data))
		return -errno;
	for (size_t i = 0; i < 2; i++)
		effective[i] = data[i].effective;
	return 0;
}

static int set_capabilities(const u32 effective[2])
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	u32 now[2];
	int err = get_capabilities(now, data);

	for (size_t i = 0; i < 2; i++)
		data[i].effective = effective[i];
	if (err || !memcmp(now, effective, sizeof(now)))
		return err;
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

/* setfsuid drops these by itself, but only when the thread leaves user 0. */
static int drop_file_capabilities(const u32 effective[2])
{
	u32 left[2] = {effective[0], effective[1]};

	_Static_assert(CAP_DAC_OVERRIDE < 32 && CAP_DAC_READ_SEARCH < 32,
		       "both are in the first word");
	left[0] &= ~(1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH);
	return set_capabilities(left);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int remember(struct file_rights *r)
{
	struct __user_cap_data_struct data[2];
	int err;

	*r = (struct file_rights){.uid = (uid_t)setfsuid(CURRENT_ID),
				  .gid = (gid_t)setfsgid(CURRENT_ID)};
	r->dumpable = prctl(PR_GET_DUMPABLE);
	err = get_capabilities(r->capabilities, data);
	return err ? err : get_groups(r);
}

static bool same_groups(const struct file_user *user, const struct file_rights *r)
{
	return user->ngroups == r->ngroups &&
	       (!r->ngroups || !memcmp(user->groups, r->groups, r->ngroups * sizeof(*r->groups)));
}

/* Keeping our groups does no harm if the user is our own, because it could read those files
 * anyway. */
static int assume_groups(const struct file_user *user, struct file_rights *r)
{
	int err = 0;

	if (!same_groups(user, r)) {
		err = set_groups(user->groups, user->ngroups);
		r->regrouped = !err;
	}
	if (!err)
		err = become_group(user->gid);
	return user->uid == r->uid ? 0 : err;
}

int file_user_assume(const struct file_user *user, struct file_rights *saved)
{
	int err = remember(saved);

	if (!err)
		err = assume_groups(user, saved);
	if (!err)
		err = become_user(user->uid);
	if (!err)
		err = drop_file_capabilities(saved->capabilities);
	if (err)
		file_user_return(saved);
	return err;
}

/* These rights belong to the thread, so taking them back cannot fail. Continuing without them would
 * be wrong. */
void file_user_return(struct file_rights *saved)
{
	if (become_user(saved->uid) || become_group(saved->gid) ||
	    set_capabilities(saved->capabilities) ||
	    (saved->regrouped && set_groups(saved->groups, saved->ngroups)))
		abort();
	/* The kernel treats a change of the fsuid like a setuid program and makes the process
	 * undumpable, which hides its memory from others. */
	if (prctl(PR_GET_DUMPABLE) != saved->dumpable)
		prctl(PR_SET_DUMPABLE, saved->dumpable);
	free(saved->groups);
	saved->groups = NULL;
}

bool file_user_may_read(const struct file_user *user, const struct stat *st)
{
	bool in_group = st->st_gid == user->gid;

	for (size_t i = 0; i < user->ngroups && !in_group; i++)
		in_group = user->groups[i] == st->st_gid;
	if (st->st_uid == user->uid)
		return st->st_mode & S_IRUSR;
	return st->st_mode & (in_group ? S_IRGRP : S_IROTH);
}

void file_user_release(struct file_user *user)
{
	free(user->groups);
	user->groups = NULL;
	user->ngroups = 0;
}
