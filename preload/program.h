/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at the file that an exec will run, to tell whether this library will be in front of its
 * allocator. Like question.h, it may run between vfork and exec.
 */
#ifndef CPROF_PRELOAD_PROGRAM_H
#define CPROF_PRELOAD_PROGRAM_H

#include <stdbool.h>

#include "heap.h"

struct program {
	int fd; /* of the program or, for a script, of its interpreter; -1 if it was not found */
	bool dynamic; /* it has a dynamic linker, which preloads libraries */
};

/* Opens what execve(path) would run. */
HIDDEN struct program program_open(const char *path);
/* Opens what execvp(file) would run, which searches PATH. */
HIDDEN struct program program_search(const char *file);
/* Looks at an open file. It belongs to the caller, and is in no case closed. */
HIDDEN struct program program_of(int fd);
HIDDEN void program_close(const struct program *p);

#endif
