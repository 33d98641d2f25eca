/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file system that everything about processes is read from. In containers and chroots /proc may be
 * missing, or be that of another PID namespace, where a PID names another process than it does for the
 * kernel's calls. Each would look like "no such process" to whoever reads below it.
 */
#ifndef CPROF_TARGET_PROC_FS_H
#define CPROF_TARGET_PROC_FS_H

#include "base/error.h"
#include "base/types.h"

/*
 * 0 when /proc shows the processes of this PID namespace, and what is started is in it as well; else
 * *err says what it is and what helps.
 */
int proc_fs_check(struct error *err) MUST_CHECK;

/* Other users' processes are not shown to us: it is mounted with hidepid (proc(5)). */
bool proc_fs_hides_processes(void);

#endif
