/* SPDX-License-Identifier: Apache-2.0 */
/* Groups threads that do the same: their stacks and states are equal and, if they wait for a lock
 * that one thread at a time has, the lock. */
#ifndef CPROF_FORMAT_THREAD_GROUPS_H
#define CPROF_FORMAT_THREAD_GROUPS_H

#include "format/thread_list.h"

struct thread_group {
	size_t first, n; /* in the list, which is sorted by groups */
	s64 threads;
};

typedef VEC(struct thread_group) thread_group_vec;

/* Sorts the list, and fills the vector with groups, the largest first. */
int thread_groups_find(struct thread_list *l, thread_group_vec *groups) MUST_CHECK;

/* Compares texts that may be missing, which come first. */
int thread_compare_texts(const char *a, const char *b);

static inline const struct listed_thread *thread_of_group(const struct thread_list *l,
							  const struct thread_group *g, size_t i)
{
	return &l->threads.data[g->first + i];
}

#endif
