/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the file behind a mapping of a process. */
#ifndef CPROF_TARGET_MAPPED_FILE_H
#define CPROF_TARGET_MAPPED_FILE_H

#include "base/target_root.h"
#include "target/maps.h"

/* Writes the path where the kernel finds what is mapped there, whatever has become of its name. */
#define MAPPED_FILE_PATH_SIZE 80
void mapped_file_path(pid_t tgid, const struct map_entry *e, char path[MAPPED_FILE_PATH_SIZE]);

/*
 * Uses /proc/PID/map_files, which works for deleted and replaced files and across mount namespaces
 * but needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE. Otherwise it opens the path inside `root` if
 * device and inode still match. Files on a file system that may not answer are opened by
 * root->readers, unless that is NULL. Returns -ESRCH, -EACCES, -ESTALE (another file is there now),
 * -EINVAL (not a regular file), or an error of readers_open().
 */
int mapped_file_open(pid_t tgid, const struct target_root *root, const struct map_entry *e,
		     struct input_file *out) MUST_CHECK;

#endif
