/* SPDX-License-Identifier: Apache-2.0 */
/* Takes the stacks of the threads that are already asleep when a recording of waits begins. */
#ifndef CPROF_COLLECT_THREAD_SNAPSHOT_H
#define CPROF_COLLECT_THREAD_SNAPSHOT_H

#include "collect/session/bpf_session.h"

/*
 * Runs the iterator (list_threads in bpf/wait.bpf.c) and copies and walks the stacks that it lists.
 * If a thread has continued meanwhile, its stack is cut.
 */
int thread_snapshot_take(struct bpf_session *s, struct bpf_program *list_threads) MUST_CHECK;

#endif
