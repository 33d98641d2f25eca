/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prepares `cprof heap -- COMMAND`, which starts the command with libcprof-heap.so in front of its
 * allocator. The library samples at a fraction of the cost of probes on every call. Only the
 * environment is used, so nothing is left behind.
 */
#ifndef CPROF_RECORD_PRELOAD_H
#define CPROF_RECORD_PRELOAD_H

#include "base/readers.h"

struct preload {
	char path[512]; /* of the library */
	char *env[5]; /* for command_start(); NULL at the end */
};

/*
 * Returns 0, -ENOENT if there is no library beside cprof or below its prefix, -EPERM if there is
 * one but another user has put it there or could replace it, or -ENOTSUP if `command` would ignore
 * it (because it is linked statically or has its own allocator) or would not start with it
 * (AddressSanitizer).
 */
int preload_init(struct preload *p, const char *command, u64 rate,
		 struct readers *readers) MUST_CHECK;
void preload_release(struct preload *p);

#endif
