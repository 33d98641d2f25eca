/* SPDX-License-Identifier: Apache-2.0 */
/* Reads from the memory of a thread that sleeps what it waits for. */
#ifndef CPROF_COLLECT_THREAD_MEMORY_H
#define CPROF_COLLECT_THREAD_MEMORY_H

#include "collect/threads/thread_table.h"

/* Fills in the words of its lock, how long it sleeps, and its descriptor. What cannot be read is
 * left out. */
void thread_memory_read(struct seen_thread *t);

#endif
