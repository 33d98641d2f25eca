/* SPDX-License-Identifier: Apache-2.0 */
/* The threads that sleep already when a recording of waits begins: their stacks are taken here. */
#ifndef CPROF_COLLECT_THREAD_SNAPSHOT_H
#define CPROF_COLLECT_THREAD_SNAPSHOT_H

#include "collect/session/bpf_session.h"

/*
 * Runs the iterator (list_threads in bpf/wait.bpf.c) and copies and walks the stacks of what it lists. A
 * thread that has gone on meanwhile leaves a cut stack.
 */
int thread_snapshot_take(struct bpf_session *s, struct bpf_program *list_threads) MUST_CHECK;

#endif
