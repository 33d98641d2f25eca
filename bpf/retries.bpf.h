/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Joins the sleeps of one waiting call. A thread woken from a mutex may find it taken again and go
 * back to sleep, and one interrupted by a signal resumes its wait. So a finished wait is only
 * counted once the thread does something else. After a futile wake-up, the time is charged to the
 * new holder.
 */
#ifndef CPROF_BPF_RETRIES_BPF_H
#define CPROF_BPF_RETRIES_BPF_H

/*
 * Waking up and sleeping again takes 1 to 5 us of CPU time, and more if a hypervisor takes the CPU
 * away. A new call would need a release in between that woke no thread, and another thread that
 * took the lock at once.
 */
#define RETRY_NS 200000

/* Counts the wait that was over. */
static __always_inline void settle(struct thread_wait *t)
{
	const struct wait_rules rules = rules_now();
	struct wait_count past;

	if (has_mode(WAIT_MODE_BLOCK) && t->first) {
		wait_end_lock(t, &rules, &past);
		count_wait(&past);
	}
	t->first = 0;
}

static __always_inline bool goes_on(const struct thread_wait *t)
{
	if (t->cause != WAIT_LOCK || t->object != t->past.object || t->sp != t->past_sp)
		return false;
	if (t->past.outcome == WAIT_INTERRUPTED)
		return true;
	return t->past.outcome == WAIT_ACQUIRED && t->retries && !t->released && t->ran < RETRY_NS;
}

/* The thread leaves its CPU: for the same wait again, because it is preempted, or for something
 * else. */
static __always_inline void settle_unless_going_on(struct thread_wait *t, u64 now)
{
	if (t->running)
		t->ran += now - t->since;
	if (t->first && t->cause != WAIT_RUNNABLE && !goes_on(t))
		settle(t);
}

static __always_inline void lock_wait_over(struct thread_wait *t, enum wait_outcome outcome,
					   u64 now)
{
	if (has_mode(WAIT_MODE_MUTEX))
		t->first = t->woken;
	else if (!t->first)
		t->first = t->since;
	t->past = t->key;
	t->past.object = t->object;
	t->past.cause = WAIT_LOCK;
	t->past.outcome = outcome;
	t->past_sp = t->sp;
	t->came = now;
	t->ran = 0;
	t->released = 0;
}

/* The running thread wakes a waiter of this lock. If it had waited for the lock itself, it has held
 * it meanwhile. */
static __always_inline void note_release(u64 object)
{
	struct thread_wait *t = wait_of(bpf_get_current_task_btf());

	if (t && t->past.object == object)
		t->released = 1;
}

#endif
