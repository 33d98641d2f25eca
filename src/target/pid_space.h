/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers of processes and threads in PID namespaces (pid_namespaces(7)). A pid_t is always a
 * number in cprof's own namespace, as system calls, /proc and the user use it. There are types in
 * bpf/shared/numbers.h for the others (struct global_pid, struct inner_pid) and for what BPF
 * programs found in cprof's own namespace (struct proc_pid). This file converts between them.
 */
#ifndef CPROF_TARGET_PID_SPACE_H
#define CPROF_TARGET_PID_SPACE_H

#include <sys/types.h>

#include "base/bpf_shared.h"
#include "base/error.h"

/* Inode of the machine's own PID namespace (include/linux/proc_ns.h, PROC_PID_INIT_INO). */
#define PID_NAMESPACE_INITIAL 0xEFFFFFFCu

/* Returns -ESRCH if it is not in cprof's namespace, so that no system call or path can reach it. */
int pid_from_proc(struct proc_pid from, pid_t *out) MUST_CHECK;
struct proc_pid pid_to_proc(pid_t pid);

#endif
