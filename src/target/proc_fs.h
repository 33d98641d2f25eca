/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks the file system that everything about processes is read from. In containers and chroots
 * /proc may be missing, or belong to another PID namespace, where a PID names another process than
 * it does in system calls. Without this check, either would look like "no such process".
 */
#ifndef CPROF_TARGET_PROC_FS_H
#define CPROF_TARGET_PROC_FS_H

#include <sys/types.h>

#include "base/error.h"
#include "base/types.h"

/*
 * Returns 0 if /proc shows the processes of this PID namespace, and new processes start in it as
 * well. Otherwise *err says what is wrong and what helps.
 */
int proc_fs_check(struct error *err) MUST_CHECK;

/* Returns whether /proc is mounted with hidepid and so does not show us other users' processes
 * (proc(5)). */
bool proc_fs_hides_processes(void);

/* Opens the directory of a process with O_PATH. Returns -ESRCH if it has gone. */
int proc_dir_open(pid_t pid) MUST_CHECK;
/* Returns what errno says about a file in such a directory, as a negative errno. */
int proc_errno(void);

#endif
