/* SPDX-License-Identifier: Apache-2.0 */
/* Finds out who has what threads wait for: see thread_owners.h. */
#include "collect/threads/thread_owners.h"

#include <linux/futex.h>
#include <sys/syscall.h>

static bool is_shared(const struct seen_thread *t)
{
	return t->state.syscall == SYS_futex && !(t->state.argument[1] & FUTEX_PRIVATE_FLAG);
}

/*
 * A lock between processes is in memory that both have mapped, so its owner is in the process that
 * waits, or in any other one.
 */
static struct seen_thread *by_number(const struct thread_table *table, const struct seen_thread *t,
				     u32 nr)
{
	const struct inner_key key = {t->inner.tgid, {nr}};
	struct seen_thread *found = nr ? thread_table_find_inner(table, key) : NULL;

	if (found || !nr || !is_shared(t))
		return found;
	vec_for_each(&table->all, other) {
		if ((*other)->inner.tid.nr == nr)
			return *other;
	}
	return NULL;
}

/* glibc waits for the end of a thread at the word that has its number until then (clear_tid of
 * clone(2)), and the kernel wakes it without FUTEX_PRIVATE_FLAG. */
static struct seen_thread *joined(const struct thread_table *table, const struct seen_thread *t)
{
	const struct inner_key key = {t->inner.tgid, {t->word[0]}};

	if (!is_shared(t) || !t->word[0] || (u32)t->state.argument[2] != t->word[0])
		return NULL;
	return thread_table_find_inner(table, key);
}

/*
 * A futex that is robust, or that inherits priorities, has its owner's number in the word
 * (linux/futex.h), as musl's mutexes do. glibc's others keep it 8 bytes after the word, whose value
 * is 2 while threads wait (sysdeps/nptl/bits/struct_mutex.h). Its rwlocks keep the writer behind
 * both of their futexes, whose value is 3 while threads wait for it (struct_rwlock.h). In between
 * there are zeros.
 */
#define RWLOCK_WRITER 3 /* index from the writers' futex on, and 1 more from the other one */

static struct seen_thread *holder(const struct thread_table *table, const struct seen_thread *t)
{
	u32 word = t->word[0];

	if (word & FUTEX_WAITERS)
		return by_number(table, t, word & FUTEX_TID_MASK);
	if (word == 3)
		return by_number(table, t,
				 t->word[RWLOCK_WRITER] ? t->word[RWLOCK_WRITER]
							: t->word[RWLOCK_WRITER + 1]);
	return word == 2 ? by_number(table, t, t->word[OWNER_WORD]) : NULL;
}

static void find_owner(const struct thread_table *table, struct seen_thread *t)
{
	t->owner = NULL;
	t->joins = false;
	if (!t->has_word || !t->settled || t->moved || t->running)
		return;
	t->owner = joined(table, t);
	t->joins = t->owner;
	if (!t->owner)
		t->owner = holder(table, t);
}

void thread_owners_find(struct thread_table *table)
{
	vec_for_each(&table->all, t)
		find_owner(table, *t);
}

/* ---- rings ----------------------------------------------------------------------------------- */

static struct seen_thread *waits_for(const struct seen_thread *t)
{
	return t->state.timed ? NULL : t->owner;
}

/* `t` is part of the ring that leads back to it. */
static void number_ring(struct seen_thread *t, u32 number)
{
	struct seen_thread *at = t;

	do {
		at->ring = number;
		at = waits_for(at);
	} while (at != t);
}

u32 thread_rings_find(struct thread_table *table)
{
	u32 rings = 0, visit = 0;

	vec_for_each(&table->all, t)
		(*t)->visit = (*t)->ring = 0;
	vec_for_each(&table->all, first) {
		struct seen_thread *t = *first;

		visit++;
		for (; t && !t->visit; t = waits_for(t))
			t->visit = visit;
		if (t && t->visit == visit && !t->ring)
			number_ring(t, ++rings);
	}
	return rings;
}
