/* SPDX-License-Identifier: Apache-2.0 */
/* Counts the waits that have not ended: see ongoing_waits.h. */
#include "collect/wait/ongoing_waits.h"

#include <bpf/bpf.h>
#include <string.h>
#include <sys/cdefs.h>

#include "collect/session/map_walk.h"
#include "target/pid_space.h"
#include "../../../bpf/wait_state.h"

#define RING_AGE_NS 100000000ull /* a deadlock does not pass */

static void add(struct ongoing_waits *w, const struct wait_count *count)
{
	struct sample_count n = {.samples = count->samples, .weight = count->ns};

	if (count->counts)
		bpf_session_add(w->session, &count->key, w->part, &n);
}

/* A thread that has waited without a limit for a while may be part of a deadlock. */
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
 * Counts, for block, a wait that has not ended, and one that was over unless the thread sleeps
 * again. The thread may still do so, so while recording that one is left to the kernel.
 */
static void count_lock_wait(struct ongoing_waits *w, const struct wait_rules *rules,
			    const struct thread_wait *t)
{
	struct wait_count n;

	if (wait_is_for_lock(t)) {
		wait_unfinished(t, rules, w->now, &n);
		add(w, &n);
	} else if (w->part == TALLY_COUNT) {
		wait_end_lock(t, rules, &n);
		add(w, &n);
	}
}

static void count_off_cpu(struct ongoing_waits *w, const struct wait_rules *rules,
			  const struct thread_wait *t)
{
	struct wait_count parts[2];

	wait_end_off_cpu(t, rules, w->now, parts);
	if (t->waker || !w->only_with_waker)
		add(w, &parts[0]);
	add(w, &parts[1]);
}

static void count_wait(struct ongoing_waits *w, const struct thread_wait *t)
{
	const struct wait_rules rules = {.begun = w->begun, .min_ns = w->min_ns};

	if (w->now <= t->since)
		return;
	if (t->running)
		w->running_ns += wait_passed(w->begun, t->since, w->now);
	if (w->mode == WAIT_MODE_BLOCK) {
		count_lock_wait(w, &rules, t);
	} else if (w->mode & WAIT_MODE_OFFCPU) {
		count_off_cpu(w, &rules, t);
	} else if (!t->running && t->cause == WAIT_LOCK && !t->woken) {
		w->unfinished++;
		w->unfinished_ns += wait_passed(w->begun, t->since, w->now);
	}
}

/* While recording, a thread may come back while its entry is read, so the entry may be half old and
 * half new. */
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
