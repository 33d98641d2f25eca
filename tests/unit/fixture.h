/* SPDX-License-Identifier: Apache-2.0 */
/* Lets a test compile small programs in a directory that is removed with the process. */
#ifndef CPROF_TESTS_FIXTURE_H
#define CPROF_TESTS_FIXTURE_H

#include <stddef.h>

/* Creates a directory that is removed at the end of the case. */
const char *fixture_dir(void);
/* Writes `size` bytes to NAME in the directory and returns its path (static storage, reused). */
const char *fixture_write(const char *name, const void *data, size_t size);
/*
 * Runs a shell command inside the directory. The case is skipped, with the command, if its first
 * word is not installed, and fails if it does not succeed.
 */
void fixture_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Returns the path of NAME in the directory (static storage, reused). */
const char *fixture_path(const char *name);
/* Reads a whole file, or fails the case. The caller frees it. */
unsigned char *fixture_read(const char *path, size_t *len);
/* Does the same for text, which ends with a NUL. */
char *fixture_text(const char *path);
void fixture_check_text(const char *path, const char *want);
/* Makes the directory the working directory. */
void fixture_enter(void);
/* Counts the files in the working directory, including hidden ones. */
size_t fixture_files_here(void);

#endif
