/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What a thread is doing (struct thread_wait), and what counts when that ends. The rules are here once, for the
 * programs at the scheduler, for waits that go on when user space looks, and for tests without a kernel.
 *
 *   state      running  cause          woken   what its time counts as
 *   running    1                               nothing (wall: ticks say where it ran)
 *   blocked    0        what it is in  0       its cause
 *   woken      0        what it is in  time    its cause until then, WAIT_RUNNABLE since
 *   preempted  0        WAIT_RUNNABLE  = since WAIT_RUNNABLE
 *
 *   event                         from                to         what happens
 *   leaves its CPU (leave)        running             blocked    its stack is taken; `since` is now
 *     but could go on             running             preempted  the same
 *     but is being woken already  running             woken      the same; `woken` is `since`
 *   is woken (on_waking)          blocked             woken      its waker may be blamed (mutex) or noted
 *     still on its CPU            running             running    `early` is now: over when it has left, if within EARLY_NS
 *   comes back (come)             any but running     running    offcpu, wall: the wait counts (wait_end_off_cpu)
 *   ends, or recording does                           none       all counts up to now
 *
 * A wait for a lock does not count when the thread comes back, since it may go on (retries.bpf.h):
 *
 *   first      came       the wait
 *   0                     none, or the first sleep of it lasts
 *   began      ended      is over, unless the thread sleeps again for the same (goes_on); when it does anything
 *                         else, it counts (wait_end_lock)
 *   began      sleep      goes on, in another sleep; its time is from `first` on (wait_unfinished)
 *
 * Only `counted` waits have a stack. Time before `begun` does not count.
 */
#ifndef CPROF_BPF_WAIT_STATE_H
#define CPROF_BPF_WAIT_STATE_H

struct wait_rules {
	u64 begun; /* bpf_ktime_get_ns() from when on time counts */
	u64 min_ns; /* shorter waits do not count */
};

struct wait_count { /* to be added under `key`, if `counts` */
	struct sample_key key;
	u64 samples, ns;
	bool counts;
};

static __always_inline u64 wait_passed(u64 begun, u64 from, u64 to)
{
	if (from < begun)
		from = begun;
	return to > from ? to - from : 0;
}

/*
 * A time off the CPU that ends at `now`, or is looked at then. Until the thread was woken it belongs to what it
 * waited for (out[0]), the rest to the scheduler (out[1]); as a wait it counts once.
 */
static __always_inline void wait_end_off_cpu(const struct thread_wait *t,
					     const struct wait_rules *rules, u64 now,
					     struct wait_count out[2])
{
	u64 woken = t->woken >= t->since && t->woken <= now ? t->woken : now;
	bool waited = t->cause != WAIT_RUNNABLE;
	bool counts = !t->running && t->counted && now >= t->since &&
		      now - t->since >= rules->min_ns;

	out[0].counts = counts && waited;
	out[0].key = t->key;
	out[0].key.cause = t->cause;
	out[0].key.object = t->waker;
	out[0].samples = 1;
	out[0].ns = wait_passed(rules->begun, t->since, woken);
	out[1].counts = counts && (woken < now || !waited);
	out[1].key = t->key;
	out[1].key.cause = WAIT_RUNNABLE;
	out[1].key.object = 0;
	out[1].samples = !waited;
	out[1].ns = wait_passed(rules->begun, woken, now);
}

/* The wait for a lock that was over when the thread came back, once it does not go on. */
static __always_inline void wait_end_lock(const struct thread_wait *t,
					  const struct wait_rules *rules, struct wait_count *out)
{
	out->key = t->past;
	out->samples = 1;
	out->ns = wait_passed(rules->begun, t->first, t->came);
	out->counts = t->first && out->ns >= rules->min_ns;
}

/* Whether the thread waits for a lock now, with a stack that was taken. */
static __always_inline bool wait_is_for_lock(const struct thread_wait *t)
{
	return !t->running && t->counted && t->cause == WAIT_LOCK;
}

/* A wait for a lock that has not ended at `now`. */
static __always_inline void wait_unfinished(const struct thread_wait *t,
					    const struct wait_rules *rules, u64 now,
					    struct wait_count *out)
{
	out->key = t->key;
	out->key.object = t->object;
	out->key.cause = WAIT_LOCK;
	out->key.outcome = WAIT_UNFINISHED;
	out->samples = 1;
	out->ns = wait_passed(rules->begun, t->first ? t->first : t->since, now);
	out->counts = wait_is_for_lock(t) && out->ns >= rules->min_ns;
}

#endif
