/* SPDX-License-Identifier: Apache-2.0 */
/* The root directory of a process, and the user who owns the process. */
#ifndef CPROF_TARGET_PROCESS_ROOT_H
#define CPROF_TARGET_PROCESS_ROOT_H

#include <sys/types.h>

#include "base/target_root.h"

/*
 * Opens the root of `tgid`, to be read with the rights that the process has over files: those of its
 * fsuid, fsgid and supplementary groups as we see them, whatever they are called in its user namespace. A
 * setuid program that a user has started counts as that user. -ESRCH when it is gone, -EACCES, -ENOMEM;
 * *out is TARGET_ROOT_NONE then. Release it.
 */
int process_root_open(pid_t tgid, struct target_root *out) MUST_CHECK;

#endif
