/* SPDX-License-Identifier: Apache-2.0 */
/* Holds the threads that one dump has seen, each with what is known of it. */
#ifndef CPROF_COLLECT_THREAD_TABLE_H
#define CPROF_COLLECT_THREAD_TABLE_H

#include <sys/types.h>
#include <time.h>

#include "base/bpf_shared.h"
#include "base/hash.h"
#include "base/vec.h"

#define LOCK_WORDS 5u /* of a lock's memory that are read, from its futex on */

struct inner_key { /* a thread by the number that it has for itself */
	struct global_pid tgid;
	struct inner_pid tid;
};

struct seen_thread {
	struct global_pid number; /* the key */
	struct inner_key inner;
	struct thread_state state; /* of the last look */
	struct thread_file file; /* that it waits for; .mode is 0 if there is none */
	pid_t tgid, tid; /* in cprof's PID namespace; 0 if it is not in there */
	bool settled; /* it has not run since, or its stack was taken at a tick */
	bool running; /* it had a CPU */
	bool alive; /* the second look found it */
	bool moved; /* it ran between all looks, so parts of its stack may be of later times */
	u32 looks; /* how often it was looked at */
	u32 copies; /* how often its stack was copied while it slept */
	u32 round; /* the last one in which it was listed */

	/* These were read from its memory. */
	s32 fd; /* the only descriptor that it waits for; -1 if there is none */
	u32 nfds; /* the number of descriptors that poll() or select() waits for */
	bool has_word, has_limit;
	u32 word[LOCK_WORDS]; /* of the lock that it waits for */
	bool absolute; /* the limit is a time of a clock, and not a duration */
	struct timespec limit; /* of a sleep */

	struct seen_thread *owner; /* that holds what it waits for; NULL if not known */
	bool joins; /* it waits for the end of `owner` */
	u32 visit; /* of the search for rings */
	u32 ring; /* number of the deadlock that it is part of, from 1; 0 for none */
	UT_hash_handle hh, hh_inner;
};

typedef VEC(struct seen_thread *) seen_vec;

struct thread_table {
	struct seen_thread *by_number, *by_inner;
	seen_vec all; /* in the order in which they were seen */
};

void thread_table_release(struct thread_table *t);
struct seen_thread *thread_table_find(const struct thread_table *t, struct global_pid number);
/* Finds a thread of a process by the number that it has in its own PID namespace. */
struct seen_thread *thread_table_find_inner(const struct thread_table *t, struct inner_key key);
/* Takes what a look found, for a thread that may have been seen before. Returns NULL if there is no
 * memory. */
struct seen_thread *thread_table_note(struct thread_table *t, const struct thread_state *state);
/* Removes threads that are neither settled nor were listed in this round, because they have
 * ended. */
void thread_table_forget(struct thread_table *t, u32 round);

#endif
