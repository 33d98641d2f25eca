/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists the files that a command will map when it starts: the program, its interpreter and the
 * libraries that it is linked with. This is a guess made before it runs, so that their unwind
 * tables are there at its first instruction. Files that are missed here are loaded when they are
 * first seen.
 */
#ifndef CPROF_TARGET_NEEDED_H
#define CPROF_TARGET_NEEDED_H

#include "base/readers.h"

struct needed_files {
	char **paths; /* NULL-terminated; NULL itself if nothing is known */
};

/*
 * Finds the files of `command`, which is looked up as execvp(3) does. Scripts are followed to their
 * interpreter. The work is done by `readers`, unless that is NULL, because the user or PATH may
 * point to a file system that does not answer.
 */
void needed_files_of(const char *command, struct readers *readers, struct needed_files *out);
/* Adds one path. Returns 0 or -ENOMEM. */
int needed_files_add(struct needed_files *n, const char *path);
void needed_files_release(struct needed_files *n);

#endif
