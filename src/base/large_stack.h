/* SPDX-License-Identifier: Apache-2.0 */
/* Gives code the stack that it needs, whatever the limit of its size is. */
#ifndef CPROF_BASE_LARGE_STACK_H
#define CPROF_BASE_LARGE_STACK_H

#include "base/types.h"

/*
 * Calls `fn` with a stack of at least `bytes`: here, or on a thread of its own if the limit
 * (RLIMIT_STACK, `ulimit -s`) is lower. The limit itself stays, because commands inherit it. It is
 * also what threads usually get, so threads that are created later get `bytes`. Sets *result to
 * what `fn` returned; returns a negative errno if there can be no such thread.
 */
int large_stack_run(size_t bytes, int (*fn)(void *arg), void *arg, int *result) MUST_CHECK;

#endif
