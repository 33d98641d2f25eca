/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints threads in groups: those with the same stack and state, the largest group first. Threads
 * that wait for a lock with an owner are only grouped if it is the same lock. Deadlocks come first.
 */
#include "format/threads.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/thread_groups.h"

#define STACK_COLUMNS 4u
#define SHOWN_NAMES 8u /* names of threads in a group */

/* ---- one group ------------------------------------------------------------------------------- */

/* Threads of a group mostly wait for different descriptors, of which the number is shown. */
static void emit_object(const struct thread_list *l, const struct thread_group *g, struct out *o)
{
	const struct listed_thread *first = thread_of_group(l, g, 0);
	size_t same = 0;

	for (size_t i = 0; i < g->n; i++)
		same += !thread_compare_texts(first->object, thread_of_group(l, g, i)->object);
	if (same == g->n && first->object)
		out_printf(o, " %s", first->object);
}

static void emit_since(const struct thread_list *l, const struct thread_group *g, struct out *o)
{
	char least_text[DURATION_TEXT], most_text[DURATION_TEXT];
	s64 least = INT64_MAX, most = -1;

	for (size_t i = 0; i < g->n; i++) {
		s64 since = thread_of_group(l, g, i)->since;

		if (since < 0)
			continue;
		least = since < least ? since : least;
		most = since > most ? since : most;
	}
	if (most < 0)
		return;
	thread_duration(least, least_text);
	thread_duration(most, most_text);
	if (strcmp(least_text, most_text) != 0)
		out_printf(o, ", %s to %s", least_text, most_text);
	else
		out_printf(o, ", %s", most_text);
}

static void emit_names(const struct thread_list *l, const struct thread_group *g, struct out *o)
{
	thread_paint(l, o, OUT_DIM);
	out_literal(o, "  ");
	for (size_t i = 0; i < g->n && i < SHOWN_NAMES; i++) {
		const struct listed_thread *t = thread_of_group(l, g, i);

		out_printf(o, "%s%lld %s", i ? ", " : "", (long long)t->tid,
			   t->name ? t->name : "");
		if (t->moved)
			out_literal(o, " (moved while it was read)");
	}
	if (g->n > SHOWN_NAMES)
		out_printf(o, " and %zu more", g->n - SHOWN_NAMES);
	thread_paint(l, o, OUT_PLAIN);
	out_literal(o, "\n");
}

static void emit_group(const struct thread_list *l, const struct thread_group *g, struct out *o)
{
	const struct listed_thread *first = thread_of_group(l, g, 0);

	thread_paint(l, o, OUT_BOLD);
	out_printf(o, "%lld thread%s [%s", (long long)g->threads, g->threads == 1 ? "" : "s",
		   thread_doing(first));
	emit_object(l, g, o);
	emit_since(l, g, o);
	if (first->owner)
		out_printf(o, ", held by %s", first->owner);
	out_literal(o, "]");
	thread_paint(l, o, OUT_PLAIN);
	out_literal(o, "\n");
	emit_names(l, g, o);
	thread_emit_stack(l, first->sample, STACK_COLUMNS, o);
	out_literal(o, "\n");
}

/* ---- deadlocks ------------------------------------------------------------------------------- */

static void emit_member(const struct thread_list *l, const struct listed_thread *t,
			const struct listed_thread *next, struct out *o)
{
	out_printf(o, "  %lld \"%s\" waits for %s", (long long)t->tid, t->name ? t->name : "",
		   t->owner ? "the lock " : "the end of ");
	out_printf(o, "%s", t->object ? t->object : t->address ? t->address : "");
	if (t->owner)
		out_printf(o, ", which %lld \"%s\" holds", (long long)next->tid,
			   next->name ? next->name : "");
	out_literal(o, ":\n");
	thread_emit_stack(l, t->sample, STACK_COLUMNS, o);
}

static void emit_deadlocks(const struct thread_list *l, struct out *o)
{
	u32 rings = thread_count_rings(l);

	for (u32 ring = 1; ring <= rings; ring++) {
		thread_paint(l, o, OUT_RED);
		out_literal(o, "Found one deadlock:");
		thread_paint(l, o, OUT_PLAIN);
		out_literal(o, "\n");
		thread_for_ring(l, ring, emit_member, o);
		out_literal(o, "\n");
	}
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int emit_all(const struct thread_list *l, const thread_group_vec *groups,
		    const struct sink *to)
{
	struct out *o = malloc(sizeof(*o));
	size_t shown = groups->len;
	int err;

	if (!o)
		return -ENOMEM;
	out_init(o, to, OUT_TEXT);
	if (l->opt->top && l->opt->top < shown)
		shown = l->opt->top;
	emit_deadlocks(l, o);
	for (size_t i = 0; i < shown; i++)
		emit_group(l, &groups->data[i], o);
	if (shown < groups->len)
		out_printf(o, "%zu of %zu groups are shown (--top 0 shows all)\n", shown,
			   groups->len);
	err = out_flush(o);
	free(o);
	return err;
}

static int threads_write(const struct profile *p, const struct format_options *opt,
			 const struct sink *to, struct error *err)
{
	struct thread_list l;
	thread_group_vec groups = {0};
	int code = thread_list_init(&l, p, opt, err);

	if (!code)
		code = thread_groups_find(&l, &groups);
	if (!code)
		code = emit_all(&l, &groups, to);
	vec_release(&groups);
	thread_list_release(&l);
	return code;
}

const struct format format_threads = {
	.name = "threads",
	.suffix = ".txt",
	.summary = "threads, grouped by stack and state",
	.write = threads_write,
};
