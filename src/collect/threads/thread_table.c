/* SPDX-License-Identifier: Apache-2.0 */
/* Holds the threads of a dump: see thread_table.h. */
#include "collect/threads/thread_table.h"

#include <stdlib.h>
#include <string.h>

#include "target/pid_space.h"

static void drop(struct thread_table *t, struct seen_thread *thread)
{
	HASH_DELETE(hh, t->by_number, thread);
	HASH_DELETE(hh_inner, t->by_inner, thread);
	free(thread);
}

void thread_table_release(struct thread_table *t)
{
	vec_for_each(&t->all, thread)
		drop(t, *thread);
	vec_release(&t->all);
}

struct seen_thread *thread_table_find(const struct thread_table *t, struct global_pid number)
{
	struct seen_thread *found;

	HASH_FIND(hh, t->by_number, &number, sizeof(number), found);
	return found;
}

struct seen_thread *thread_table_find_inner(const struct thread_table *t, struct inner_key key)
{
	struct seen_thread *found;

	HASH_FIND(hh_inner, t->by_inner, &key, sizeof(key), found);
	return found;
}

/* It is in both tables, or in none. */
static bool hash(struct thread_table *t, struct seen_thread *thread)
{
	HASH_ADD(hh, t->by_number, number, sizeof(thread->number), thread);
	if (!HASH_ADDED(thread))
		return false;
	HASH_ADD(hh_inner, t->by_inner, inner, sizeof(thread->inner), thread);
	if (thread->hh_inner.tbl)
		return true;
	HASH_DELETE(hh, t->by_number, thread);
	return false;
}

static struct seen_thread *add(struct thread_table *t, const struct thread_state *state)
{
	struct seen_thread *thread;

	if (vec_reserve(&t->all, t->all.len + 1))
		return NULL;
	thread = calloc(1, sizeof(*thread));
	if (!thread)
		return NULL;
	thread->number = state->record.key.tid;
	thread->inner = (struct inner_key){state->record.key.tgid, state->inner};
	if (!hash(t, thread)) {
		free(thread);
		return NULL;
	}
	t->all.data[t->all.len++] = thread;
	return thread;
}

struct seen_thread *thread_table_note(struct thread_table *t, const struct thread_state *state)
{
	struct seen_thread *thread = thread_table_find(t, state->record.key.tid);

	if (!thread)
		thread = add(t, state);
	if (!thread)
		return NULL;
	thread->state = *state;
	thread->looks++;
	thread->running = state->on_cpu;
	thread->fd = -1;
	thread->nfds = 0;
	thread->has_word = thread->has_limit = false;
	if (pid_from_proc(state->record.thread.tgid, &thread->tgid))
		thread->tgid = 0;
	if (pid_from_proc(state->record.thread.tid, &thread->tid))
		thread->tid = 0;
	return thread;
}

void thread_table_forget(struct thread_table *t, u32 round)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->all.len; i++) {
		struct seen_thread *thread = t->all.data[i];

		if (thread->settled || thread->round == round)
			t->all.data[kept++] = thread;
		else
			drop(t, thread);
	}
	t->all.len = kept;
}
