/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the root directory of a process together with the user who owns the process. */
#ifndef CPROF_TARGET_PROCESS_ROOT_H
#define CPROF_TARGET_PROCESS_ROOT_H

#include <sys/types.h>

#include "base/target_root.h"

/*
 * Opens the root of `tgid`, to be read with the rights that the process has over files. These are
 * its fsuid, fsgid and supplementary groups as we see them, whatever they are called in its user
 * namespace. A setuid program that a user has started counts as that user. Returns -ESRCH if it is
 * gone, -EACCES or -ENOMEM; *out is then TARGET_ROOT_NONE. Release it.
 */
int process_root_open(pid_t tgid, struct target_root *out) MUST_CHECK;

#endif
