/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes threads as jstack does (hotspot, ThreadService and java_lang_Thread), which analysers of
 * thread dumps read: a header with the thread's name and times, its state in Java's words, frames
 * as "at function(file:line)", and the locks that it waits for and has. Deadlocks come first.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/path.h"
#include "format/thread_list.h"

struct java_state {
	const char *doing, *activity, *state;
};

/* What does not occur here waits without a limit, for something that is no lock. */
static const struct java_state states[] = {
	{"running", "runnable", "RUNNABLE"},
	{"runnable", "runnable", "RUNNABLE"},
	{"mutex", "waiting for monitor entry", "BLOCKED (on object monitor)"},
	{"rwlock", "waiting for monitor entry", "BLOCKED (on object monitor)"},
	{"sleep", "waiting on condition", "TIMED_WAITING (sleeping)"},
	{"condvar", "in Object.wait()", "WAITING (on object monitor)"},
	{"join", "in Object.wait()", "WAITING (on object monitor)"},
};

static struct java_state state_of(const struct listed_thread *t)
{
	const char *doing = thread_doing(t);

	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		if (!strcmp(doing, states[i].doing))
			return states[i];
	}
	return (struct java_state){doing, "waiting on condition", "WAITING (parking)"};
}

static void emit_header(const struct listed_thread *t, u32 number, struct out *o)
{
	const struct java_state s = state_of(t);

	out_printf(o, "\"%s\" #%u os_prio=0", t->name ? t->name : "", number);
	if (t->cpu_time >= 0)
		out_printf(o, " cpu=%.2fms", (double)t->cpu_time / 1e6);
	if (t->age >= 0)
		out_printf(o, " elapsed=%.2fs", (double)t->age / 1e9);
	out_printf(o, " tid=0x%016llx nid=0x%llx %s\n", (unsigned long long)t->tid,
		   (unsigned long long)t->tid, s.activity);
	out_printf(o, "   java.lang.Thread.State: %s\n", s.state);
}

static void emit_lock(const char *what, const struct listed_thread *t, struct out *o)
{
	unsigned long long address = t->address ? strtoull(t->address, NULL, 16) : 0;

	out_printf(o, "\t- %s <0x%016llx> (a %s)\n", what, address, t->object ? t->object : "lock");
}

/* Says what it waits for, after its innermost frame of the program. */
static void emit_wait(const struct listed_thread *t, struct out *o)
{
	if (thread_waits_for_owner(t))
		emit_lock("waiting to lock", t, o);
	else if (t->address)
		emit_lock("waiting on", t, o);
	else if (t->object)
		out_printf(o, "\t- waiting on %s\n", t->object);
}

static void emit_frame(const char *name, const char *file, s64 line, struct out *o)
{
	if (file && *file && line)
		out_printf(o, "\tat %s(%s:%lld)\n", name, path_name(file), (long long)line);
	else
		out_printf(o, "\tat %s(Native Method)\n", name);
}

static void emit_location(const struct profile *p, const struct profile_location *at, struct out *o)
{
	char name[512];

	if (!at->nlines) {
		view_unnamed(p, at, name, sizeof(name));
		emit_frame(name, NULL, 0, o);
	}
	for (u32 i = 0; i < at->nlines; i++) {
		const struct profile_line *line = &p->lines.data[at->first_line + i];
		const struct profile_function *f = &p->functions.data[line->function];

		emit_frame(profile_text(p, f->name), profile_text(p, f->filename), line->line, o);
	}
}

/* The frames of the kernel are not part of what Java shows. */
static void emit_stack(const struct thread_list *l, const struct listed_thread *t, struct out *o)
{
	const struct profile *p = l->p;
	const struct profile_sample *s = &p->samples.data[t->sample];
	bool waits = true;

	for (u32 i = 0; i < s->nlocations; i++) {
		const struct profile_location *at =
			&p->locations.data[p->stack_locations.data[s->first_location + i]];

		if (p->mappings.data[at->mapping].kind == PROFILE_MAPPING_KERNEL)
			continue;
		emit_location(p, at, o);
		if (waits)
			emit_wait(t, o);
		waits = false;
	}
}

typedef VEC(const struct listed_thread *) waiter_vec;

static int by_owner(const void *left, const void *right)
{
	const struct listed_thread *a = *(const struct listed_thread *const *)left;
	const struct listed_thread *b = *(const struct listed_thread *const *)right;

	if (a->awaited != b->awaited)
		return a->awaited < b->awaited ? -1 : 1;
	return strcmp(a->address, b->address);
}

/* Finds the threads that wait for locks with known owners, each lock once. */
static int find_held(const struct thread_list *l, waiter_vec *held)
{
	size_t kept = 0;

	if (vec_reserve(held, l->threads.len + 1))
		return -ENOMEM;
	vec_for_each(&l->threads, t) {
		if (t->owner && t->address && t->awaited)
			held->data[held->len++] = t;
	}
	qsort(held->data, held->len, sizeof(*held->data), by_owner);
	for (size_t i = 0; i < held->len; i++) {
		if (!i || by_owner(&held->data[i], &held->data[kept - 1]))
			held->data[kept++] = held->data[i];
	}
	held->len = kept;
	return 0;
}

/* Which frame took a lock is not known, so the locks of a thread come after its stack. */
static void emit_held(const waiter_vec *held, const struct listed_thread *t, struct out *o)
{
	vec_for_each(held, waiter) {
		if ((*waiter)->awaited == t->tid)
			emit_lock("locked", *waiter, o);
	}
}

static void emit_member(const struct thread_list *l, const struct listed_thread *t,
			const struct listed_thread *next, struct out *o)
{
	out_printf(o, "\"%s\":\n  waiting to lock %s (%s),\n  which is held by \"%s\"\n",
		   t->name ? t->name : "", t->address ? t->address : "the end of a thread",
		   t->object ? t->object : "lock", next->name ? next->name : "");
	emit_stack(l, t, o);
}

static void emit_title(const struct profile *p, struct out *o)
{
	time_t seconds = (time_t)(p->time_nanos / 1000000000);
	char when[64] = "";
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	out_printf(o, "%s\nFull thread dump cprof " CPROF_VERSION " (native threads):\n\n", when);
}

static void emit_deadlocks(const struct thread_list *l, struct out *o)
{
	u32 rings = thread_count_rings(l);

	for (u32 ring = 1; ring <= rings; ring++) {
		out_literal(o, "Found one deadlock:\n===================\n");
		thread_for_ring(l, ring, emit_member, o);
		out_literal(o, "\n");
	}
}

static int emit_all(const struct thread_list *l, const struct sink *to)
{
	struct out *o = malloc(sizeof(*o));
	waiter_vec held = {0};
	u32 number = 0;
	int err = o ? find_held(l, &held) : -ENOMEM;

	if (err) {
		free(o);
		return err;
	}
	out_init(o, to, OUT_TEXT);
	emit_title(l->p, o);
	emit_deadlocks(l, o);
	vec_for_each(&l->threads, t) {
		emit_header(t, ++number, o);
		emit_stack(l, t, o);
		emit_held(&held, t, o);
		out_literal(o, "\n");
	}
	err = out_flush(o);
	vec_release(&held);
	free(o);
	return err;
}

static int jstack_write(const struct profile *p, const struct format_options *opt,
			const struct sink *to, struct error *err)
{
	struct thread_list l;
	int code = thread_list_init(&l, p, opt, err);

	if (!code) {
		thread_list_by_number(&l);
		code = emit_all(&l, to);
	}
	thread_list_release(&l);
	return code;
}

const struct format format_jstack = {
	.name = "jstack",
	.suffix = ".jstack",
	.summary = "threads in the form of Java's jstack, for analysers of thread dumps",
	.threads = true,
	.write = jstack_write,
};
