/* SPDX-License-Identifier: Apache-2.0 */
/* The waits that have not ended: see ongoing_waits.h. */
#include "collect/wait/ongoing_waits.h"

#include <bpf/bpf.h>
#include <string.h>

#include "collect/session/map_walk.h"
#include "target/pid_space.h"

#define RING_AGE_NS 100000000ull /* a deadlock does not pass */

static u64 passed(const struct ongoing_waits *w, u64 from, u64 to)
{
	from = from > w->begun ? from : w->begun;
	return to > from ? to - from : 0;
}

static void add(struct ongoing_waits *w, const struct sample_key *key, u64 samples, u64 ns)
{
	struct sample_count n = {.samples = samples, .weight = ns};

	if (w->mode != WAIT_MODE_BLOCK || ns >= w->min_ns)
		bpf_session_add(w->session, key, w->part, &n);
}

/* A thread that waits without limit, and has for a while, may be part of a deadlock. */
static int note_waiter(struct ongoing_waits *w, const struct thread_wait *t)
{
	struct ring_waiter waiter = {.inner = t->inner, .lock = t->object};

	if (w->mode != WAIT_MODE_BLOCK || t->running || t->cause != WAIT_LOCK || t->woken ||
	    t->timed || !t->counted || w->now - t->since < RING_AGE_NS)
		return 0;
	if (pid_from_proc(t->proc_tgid, &waiter.tgid) || pid_from_proc(t->proc_tid, &waiter.tid))
		return 0;
	wait_ring_owners(&waiter);
	return vec_push(&w->waiters, waiter);
}

/*
 * block: a wait that goes on, and one that was over but for what the thread would do next. That one may go on after
 * all, so while recording it is left to the kernel.
 */
static void count_lock_wait(struct ongoing_waits *w, const struct thread_wait *t)
{
	bool waits = !t->running && t->counted && t->cause == WAIT_LOCK;
	struct sample_key key = t->key;

	if (t->first && !waits && w->part == TALLY_COUNT)
		add(w, &t->past, 1, passed(w, t->first, t->came));
	if (!waits)
		return;
	key.object = t->object;
	key.cause = WAIT_LOCK;
	key.outcome = WAIT_UNFINISHED;
	add(w, &key, 1, passed(w, t->first ? t->first : t->since, w->now));
}

static void count_off_cpu(struct ongoing_waits *w, const struct thread_wait *t)
{
	u64 woken = t->woken >= t->since && t->woken <= w->now ? t->woken : w->now;
	struct sample_key key = t->key;

	if (t->running || !t->counted || w->now - t->since < w->min_ns)
		return;
	key.cause = t->cause;
	key.object = t->waker;
	if (t->cause != WAIT_RUNNABLE)
		add(w, &key, 1, passed(w, t->since, woken));
	key.cause = WAIT_RUNNABLE;
	key.object = 0;
	if (woken < w->now || t->cause == WAIT_RUNNABLE)
		add(w, &key, t->cause == WAIT_RUNNABLE, passed(w, woken, w->now));
}

static void count_wait(struct ongoing_waits *w, const struct thread_wait *t)
{
	if (w->now <= t->since)
		return;
	if (t->running)
		w->running_ns += passed(w, t->since, w->now);
	if (w->mode == WAIT_MODE_BLOCK) {
		count_lock_wait(w, t);
	} else if (w->mode & WAIT_MODE_OFFCPU) {
		count_off_cpu(w, t);
	} else if (!t->running && t->cause == WAIT_LOCK && !t->woken) {
		w->unfinished++;
		w->unfinished_ns += passed(w, t->since, w->now);
	}
}

/* While recording, a thread may come back while its entry is read, which is half old and half new then. */
static bool is_settled(const struct ongoing_waits *w, const void *key, const struct thread_wait *t)
{
	struct thread_wait again;

	if (w->part == TALLY_COUNT || t->running)
		return true;
	return !bpf_map_lookup_elem(w->threads_fd, key, &again) &&
	       !memcmp(t, &again, sizeof(again));
}

static int count_thread(void *arg, const void *key, const void *value)
{
	struct ongoing_waits *w = arg;
	const struct thread_wait *t = value;

	if (!is_settled(w, key, t))
		return 0;
	count_wait(w, t);
	return w->part == TALLY_COUNT ? note_waiter(w, t) : 0;
}

int ongoing_waits_count(struct ongoing_waits *w)
{
	return map_walk(&(struct map_walk){.fd = w->threads_fd,
					   .key_size = sizeof(struct global_pid),
					   .value_size = sizeof(struct thread_wait),
					   .entry = count_thread,
					   .arg = w});
}
