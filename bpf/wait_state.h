/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Defines what a thread is doing (struct thread_wait), and what counts when that ends. The rules
 * are here once, for the programs at the scheduler, for unfinished waits that user space reads, and
 * for tests without a kernel.
 *
 *   state      running  cause          woken   what its time counts as
 *   running    1                               nothing (wall: ticks show where it ran)
 *   blocked    0        what it is in  0       its cause
 *   woken      0        what it is in  time    its cause until then, WAIT_RUNNABLE since
 *   preempted  0        WAIT_RUNNABLE  = since WAIT_RUNNABLE
 *
 *   event                         from      to         what happens
 *   leaves its CPU (leave)        running   blocked    its stack is taken; `since` is now
 *     but could continue          running   preempted  the same
 *     but is being woken already  running   woken      the same; `woken` is `since`
 *   is woken (on_waking)          blocked   woken      its waker may be blamed (mutex) or recorded
 *     still on its CPU            running   running    `early` is now: the wait is over when it has
 *                                                      left, if within EARLY_NS
 *   comes back (come)             not running running  offcpu, wall: the wait counts
 *                                                      (wait_end_off_cpu)
 *   ends, or recording does       any       none       everything counts up to now
 *
 * A wait for a lock does not count when the thread comes back, because it may continue
 * (retries.bpf.h):
 *
 *   first      came       the wait
 *   0                     none, or its first sleep is not over
 *   began      ended      is over, unless the thread sleeps again for the same (goes_on); when it
 *                         does anything else, the wait counts (wait_end_lock)
 *   began      sleep      continues in another sleep; its time is from `first` on
 *                         (wait_unfinished)
 *
 * Only `counted` waits have a stack. Time before `begun` does not count.
 */
#ifndef CPROF_BPF_WAIT_STATE_H
#define CPROF_BPF_WAIT_STATE_H

struct wait_rules {
	u64 begun; /* bpf_ktime_get_ns() from which on time counts */
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
 * Computes a time off the CPU that ends at `now`, or is read then. Until the thread was woken it
 * belongs to what it waited for (out[0]), and the rest to the scheduler (out[1]); it counts once as
 * a wait.
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

/* Computes the wait for a lock that was over when the thread came back, once it does not
 * continue. */
static __always_inline void wait_end_lock(const struct thread_wait *t,
					  const struct wait_rules *rules, struct wait_count *out)
{
	out->key = t->past;
	out->samples = 1;
	out->ns = wait_passed(rules->begun, t->first, t->came);
	out->counts = t->first && out->ns >= rules->min_ns;
}

/* Returns whether the thread waits for a lock now, with a stack that was taken. */
static __always_inline bool wait_is_for_lock(const struct thread_wait *t)
{
	return !t->running && t->counted && t->cause == WAIT_LOCK;
}

/* Computes a wait for a lock that has not ended at `now`. */
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
