/* SPDX-License-Identifier: Apache-2.0 */
/* Turns threads into samples: see thread_samples.h. */
#include "collect/threads/thread_samples.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "profile/labels.h"

#define NANOSECONDS "nanoseconds"

static u64 later(u64 a, u64 b)
{
	return a > b ? a : b;
}

/*
 * A thread that sleeps left its CPU after it got that, and not before its running time was last
 * added up. That clock leaves out stolen time, so either bound may be the later one.
 */
static u64 state_began(const struct thread_state *s)
{
	if (s->on_cpu)
		return s->arrived;
	if (s->cause == WAIT_RUNNABLE && s->queued)
		return s->queued;
	return later(s->arrived, s->accounted);
}

s64 thread_since(const struct seen_thread *t, u64 skew)
{
	const struct thread_state *s = &t->state;
	u64 began = state_began(s);

	if (!skew || !began)
		return -1;
	return s->now > began + skew ? (s64)(s->now - began - skew) : 0;
}

/* Returns when a sleep ends, as CLOCK_REALTIME; 0 if that is not known. */
static u64 sleep_ends(const struct seen_thread *t, u64 skew)
{
	u64 limit = (u64)t->limit.tv_sec * NSEC_PER_SEC + (u64)t->limit.tv_nsec;
	u64 to_real = clock_ns(CLOCK_REALTIME) - monotonic_ns();
	s64 since = thread_since(t, skew);

	if (!t->has_limit || t->limit.tv_sec < 0 || t->limit.tv_sec > INT32_MAX)
		return 0;
	if (t->absolute)
		return t->state.argument[0] == CLOCK_REALTIME ? limit : limit + to_real;
	return since < 0 ? 0 : t->state.now - (u64)since + limit + to_real;
}

static void until_text(const struct seen_thread *t, u64 skew, char *out, size_t size)
{
	u64 ends = sleep_ends(t, skew);
	time_t seconds = (time_t)(ends / NSEC_PER_SEC);
	struct tm tm;

	out[0] = '\0';
	if (ends && localtime_r(&seconds, &tm))
		strftime(out, size, "%Y-%m-%d %H:%M:%S", &tm);
}

static void add_text(struct sample_label *labels, u32 *n, const char *key, const char *text)
{
	if (text && *text)
		labels[(*n)++] = (struct sample_label){.key = key, .text = text};
}

static void add_time(struct sample_label *labels, u32 *n, const char *key, s64 ns)
{
	if (ns >= 0)
		labels[(*n)++] =
			(struct sample_label){.key = key, .number = ns, .unit = NANOSECONDS};
}

/* Says for which lock it waits, and which thread has that. */
static void add_lock(struct thread_samples *r, const struct seen_thread *t,
		     struct sample_label *labels, u32 *n)
{
	if (t->running || t->joins || t->state.cause != WAIT_LOCK ||
	    t->state.object < LOCK_ADDRESSES)
		return;
	snprintf(r->address, sizeof(r->address), "0x%llx", (unsigned long long)t->state.object);
	add_text(labels, n, LABEL_ADDRESS, r->address);
	if (!t->owner)
		return;
	thread_name_text(t->owner, r->owner);
	add_text(labels, n, LABEL_OWNER, r->owner);
}

static u32 labels(void *arg, const struct sample_key *key, const struct thread_id *owner,
		  struct sample_label out[SAMPLE_LABELS_MAX])
{
	struct thread_samples *r = arg;
	const struct seen_thread *t = thread_table_find(r->table, key->tid);
	u32 n = 0;

	if (!t)
		return 0;
	thread_object_text(t, r->names, r->object);
	until_text(t, r->skew, r->until, sizeof(r->until));
	add_text(out, &n, LABEL_STATE, thread_state_text(t));
	add_text(out, &n, LABEL_REASON, thread_reason_text(t));
	add_text(out, &n, LABEL_OBJECT, r->object);
	add_lock(r, t, out, &n);
	add_text(out, &n, LABEL_UNTIL, r->until);
	add_time(out, &n, LABEL_SINCE, thread_since(t, r->skew));
	add_time(out, &n, LABEL_CPU_TIME, (s64)t->state.run_ns);
	add_time(out, &n, LABEL_AGE, (s64)(t->state.now - t->state.started));
	if (t->ring)
		out[n++] = (struct sample_label){.key = LABEL_DEADLOCK, .number = t->ring};
	add_text(out, &n, LABEL_MOVED, t->moved ? "yes" : NULL);
	return n;
}

static void values(void *arg, const struct sample_key *key, const struct sample_tally *tally,
		   s64 out[SAMPLE_VALUES_MAX])
{
	out[0] = (s64)tally->count.samples;
}

struct sample_mapping thread_mapping(struct thread_samples *r)
{
	return (struct sample_mapping){.values = values, .labels = labels, .arg = r};
}
