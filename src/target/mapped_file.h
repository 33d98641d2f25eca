/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the file that lies behind a mapping of a process. */
#ifndef CPROF_TARGET_MAPPED_FILE_H
#define CPROF_TARGET_MAPPED_FILE_H

#include "base/target_root.h"
#include "target/maps.h"

/*
 * Through /proc/PID/map_files (works for deleted and replaced files and across mount namespaces; needs
 * CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE), else by path inside `root` when device and inode still fit. What lies on a
 * file system that may not answer is opened by root->readers, unless those are NULL. -ESRCH, -EACCES, -ESTALE
 * (another file lies there now), -EINVAL (not a regular file), or as readers_open().
 */
int mapped_file_open(pid_t tgid, const struct target_root *root, const struct map_entry *e,
		     struct input_file *out) MUST_CHECK;

#endif
