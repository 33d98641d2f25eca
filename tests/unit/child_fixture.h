/* SPDX-License-Identifier: Apache-2.0 */
/* Child processes, for tests. They end with the test. */
#ifndef CPROF_TESTS_CHILD_FIXTURE_H
#define CPROF_TESTS_CHILD_FIXTURE_H

#include <sys/types.h>

/*
 * Starts a child that calls `body`. Returns once the child or a child of it has called
 * child_ready(ready). When `body` returns, the child ends.
 */
pid_t child_start(void (*body)(int ready, const void *arg), const void *arg);
void child_ready(int ready);
/* Does child_ready() and sleeps until child_end(). */
void child_sleep(int ready);
void child_end(pid_t pid);

#endif
