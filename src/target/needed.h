/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that a command will map when it starts: itself, its interpreter, the libraries it is linked
 * with. A guess made before it runs, so that their unwind tables are there at its first instruction;
 * what is missed here is loaded when it is first seen.
 */
#ifndef CPROF_TARGET_NEEDED_H
#define CPROF_TARGET_NEEDED_H

#include "base/readers.h"

struct needed_files {
	char **paths; /* NULL at the end; NULL itself when nothing is known */
};

/*
 * `command` as execvp(3) takes it. Scripts are followed to their interpreter. Found out by `readers`, unless
 * those are NULL: it lies where the user says, or somewhere on PATH.
 */
void needed_files_of(const char *command, struct readers *readers, struct needed_files *out);
/* One more; 0 or -ENOMEM. */
int needed_files_add(struct needed_files *n, const char *path);
void needed_files_release(struct needed_files *n);

#endif
