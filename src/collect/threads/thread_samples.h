/* SPDX-License-Identifier: Apache-2.0 */
/* Turns the threads of a dump into samples: one each, with labels that say what the thread does. */
#ifndef CPROF_COLLECT_THREAD_SAMPLES_H
#define CPROF_COLLECT_THREAD_SAMPLES_H

#include "collect/session/stack_store.h"
#include "collect/threads/thread_table.h"
#include "collect/threads/thread_object.h"

struct thread_samples {
	const struct thread_table *table;
	struct lock_names *names;
	u64 skew; /* ktime minus the scheduler's clock; 0 if it is not known */
	/* Texts of the labels that were made last. */
	char object[THREAD_TEXT], owner[THREAD_TEXT], address[32], until[64];
};

/* `r` has to outlive it. */
struct sample_mapping thread_mapping(struct thread_samples *r);
/* Returns for how long the thread has been in its state, in ns; -1 if that is not known. */
s64 thread_since(const struct seen_thread *t, u64 skew);

#endif
