/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the user who started cprof: see invoker.h. */
#include "base/invoker.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool parse_uid(const char *text, uid_t *uid)
{
	char *end;
	unsigned long value;

	if (!text || *text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || value >= UINT32_MAX)
		return false;
	*uid = (uid_t)value;
	return true;
}

uid_t invoker_uid(void)
{
	uid_t uid;

	/* Only root can act for another user. Other users could set the variables as they like. */
	if (!geteuid() &&
	    (parse_uid(getenv("SUDO_UID"), &uid) || parse_uid(getenv("PKEXEC_UID"), &uid)))
		return uid;
	return getuid();
}

bool invoker_trusts(uid_t owner)
{
	return !owner || owner == geteuid() || owner == invoker_uid();
}

bool invoker_is_set_id(void)
{
	return getuid() != geteuid() || getgid() != getegid();
}

int invoker_drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[2] = {{0}, {0}};

	/* Root has them anyway. A security module may set the flag as well (getauxval(3)). */
	if (!getuid() || !getauxval(AT_SECURE))
		return 0;
	if (syscall(SYS_capset, &head, none))
		return -errno;
	/* Until now /proc/self belonged to root (proc(5)), because this process could read what its
	 * user may not. */
	return prctl(PR_SET_DUMPABLE, 1) ? -errno : 0;
}
