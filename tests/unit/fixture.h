/* SPDX-License-Identifier: Apache-2.0 */
/* Small programs that a test compiles for itself, in a directory that goes away with the process. */
#ifndef CPROF_TESTS_FIXTURE_H
#define CPROF_TESTS_FIXTURE_H

#include <stddef.h>

/* A fresh directory, removed at exit of the case. */
const char *fixture_dir(void);
/* Writes `size` bytes to NAME in the directory; returns its path (static storage, reused). */
const char *fixture_write(const char *name, const void *data, size_t size);
/*
 * Runs a shell command inside the directory; the case is skipped, with the command, when its first
 * word is not installed, and fails when it does not succeed.
 */
void fixture_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The path of NAME in the directory (static storage, reused). */
const char *fixture_path(const char *name);
/* Reads a whole file; fails the case when it cannot. Caller frees. */
unsigned char *fixture_read(const char *path, size_t *len);

#endif
