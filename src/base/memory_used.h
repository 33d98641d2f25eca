/* SPDX-License-Identifier: Apache-2.0 */
/* Says how much memory this process uses. */
#ifndef CPROF_BASE_MEMORY_USED_H
#define CPROF_BASE_MEMORY_USED_H

#include "base/types.h"

struct memory_used { /* in bytes */
	u64 size; /* of the address space */
	u64 resident; /* of it in memory */
	u64 shared; /* of that: pages of files and shared memory */
};

/* `statm` is /proc/self/statm, open (proc_pid_statm(5)). Everything is 0 if it cannot be read. */
struct memory_used memory_used_read(int statm);
/* The same for a process that asks rarely, and so keeps no file open. */
struct memory_used memory_used(void);

#endif
