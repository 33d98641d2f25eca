/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds out which threads have what others wait for: locks, whose memory names the owner, and their
 * own end (pthread_join). A ring of them is a deadlock.
 */
#ifndef CPROF_COLLECT_THREAD_OWNERS_H
#define CPROF_COLLECT_THREAD_OWNERS_H

#include "collect/threads/thread_table.h"

/* Sets .owner and .joins of all threads. */
void thread_owners_find(struct thread_table *t);
/*
 * Sets .ring of the threads that wait for each other without a limit, after thread_owners_find().
 * None of them has run between the reading of its registers and that of the locks, so they all
 * waited at one moment. Returns the number of rings.
 */
u32 thread_rings_find(struct thread_table *t);

#endif
