/* SPDX-License-Identifier: Apache-2.0 */
/* Tells which pages of a process's code are its own copies of those in the file. */
#ifndef CPROF_COLLECT_CODE_PAGES_H
#define CPROF_COLLECT_CODE_PAGES_H

#include <sys/types.h>

#include "base/types.h"

#define CODE_PAGE 4096u
#define CODE_PAGES_AT_ONCE 512u

/* Opens /proc/PID/pagemap. Returns a descriptor or -ESRCH, -EACCES, ... */
int code_pages_open(pid_t tgid) MUST_CHECK;

/*
 * Stores for up to CODE_PAGES_AT_ONCE pages from `address` on whether each was written to. Returns
 * how many pages it stored, 0 on errors.
 */
u64 code_pages_copied(int pagemap, u64 address, u64 n, bool copied[CODE_PAGES_AT_ONCE]);

#endif
