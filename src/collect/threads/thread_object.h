/* SPDX-License-Identifier: Apache-2.0 */
/* Says in words what a thread does: its state, and what it waits for. */
#ifndef CPROF_COLLECT_THREAD_OBJECT_H
#define CPROF_COLLECT_THREAD_OBJECT_H

#include "collect/threads/thread_table.h"
#include "collect/wait/lock_names.h"

#define THREAD_TEXT 256

/* Returns "running", "runnable", "sleeping", "uninterruptible" or "stopped". */
const char *thread_state_text(const struct seen_thread *t);
/* Returns a cause of waits as offcpu has them, or "join"; NULL if the thread does not wait. */
const char *thread_reason_text(const struct seen_thread *t);
/*
 * Writes the lock, descriptor or thread that it waits for: "orders_lock", "fd 5: tcp 10.0.0.1:5432
 * to 10.0.0.9:41234", "fd 4: epoll set of 12". "" if there is none.
 */
void thread_object_text(const struct seen_thread *t, struct lock_names *names,
			char out[THREAD_TEXT]);
/* Writes 4711 "writer". */
void thread_name_text(const struct seen_thread *t, char out[THREAD_TEXT]);

#endif
