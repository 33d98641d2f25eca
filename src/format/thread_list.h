/* SPDX-License-Identifier: Apache-2.0 */
/* Lists the threads of a profile of cprof threads, for the formats that show them as text. */
#ifndef CPROF_FORMAT_THREAD_LIST_H
#define CPROF_FORMAT_THREAD_LIST_H

#include "format/out.h"

struct listed_thread {
	u32 sample;
	s64 count; /* of threads in the sample: 1 unless profiles were merged */
	s64 tid, pid; /* 0 if it is not known */
	/* Borrowed texts; NULL if the sample has no such label. */
	const char *name, *process, *state, *reason, *object, *address, *owner, *until;
	s64 since, cpu_time, age; /* nanoseconds; -1 if not known */
	s64 awaited; /* number of the thread that it waits for; 0 if that is not known */
	s64 deadlock; /* number of the ring that it is in; 0 for none */
	bool moved;
};

struct thread_list {
	const struct profile *p;
	const struct format_options *opt;
	VEC(struct listed_thread) threads; /* in the order of the profile */
};

/* Returns -EINVAL with a text if it is not such a profile. */
int thread_list_init(struct thread_list *l, const struct profile *p,
		     const struct format_options *opt, struct error *err) MUST_CHECK;
void thread_list_release(struct thread_list *l);
void thread_list_by_number(struct thread_list *l); /* sorts by process and thread */

/* Returns the reason of a wait, or the state of a thread that does not wait. */
const char *thread_doing(const struct listed_thread *t);
/* Returns whether it waits for a lock that one thread at a time has. */
bool thread_waits_for_owner(const struct listed_thread *t);

#define DURATION_TEXT 32
/* Writes "350 ms", "12 seconds", "5 minutes", "3 hours" or "2 days", rounded down. */
void thread_duration(s64 ns, char out[DURATION_TEXT]);

void thread_paint(const struct thread_list *l, struct out *o, enum out_color color);
/* Writes the frames of a sample, one a line, each after `indent` columns. */
void thread_emit_stack(const struct thread_list *l, u32 sample, u32 indent, struct out *o);

/* `next` is the thread that `t` waits for. */
typedef void (*ring_fn)(const struct thread_list *l, const struct listed_thread *t,
			const struct listed_thread *next, struct out *o);
/* Returns the number of rings. */
u32 thread_count_rings(const struct thread_list *l);
/* Calls `emit` for the threads of a ring, in the order in which they wait; rings count from 1. */
void thread_for_ring(const struct thread_list *l, u32 ring, ring_fn emit, struct out *o);

#endif
