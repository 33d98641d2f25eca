/* SPDX-License-Identifier: Apache-2.0 */
/* Lists threads: see thread_list.h. */
#include "format/thread_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "format/short_name.h"
#include "profile/labels.h"

#define MIN_NAME_COLUMNS 20u
#define RING_MAX 1000 /* threads of one ring that are shown */

/* ---- reading labels -------------------------------------------------------------------------- */

static void read_text(struct listed_thread *t, const char *key, const char *text)
{
	const struct {
		const char *key;
		const char **to;
	} texts[] = {
		{"thread", &t->name},         {LABEL_PROCESS, &t->process},
		{LABEL_STATE, &t->state},     {LABEL_REASON, &t->reason},
		{LABEL_OBJECT, &t->object},   {LABEL_OWNER, &t->owner},
		{LABEL_ADDRESS, &t->address}, {LABEL_UNTIL, &t->until},
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (!strcmp(key, texts[i].key))
			*texts[i].to = text;
	}
	t->moved |= !strcmp(key, LABEL_MOVED);
}

static void read_number(struct listed_thread *t, const char *key, s64 number)
{
	const struct {
		const char *key;
		s64 *to;
	} numbers[] = {
		{"tid", &t->tid},         {LABEL_PID, &t->pid},
		{LABEL_SINCE, &t->since}, {LABEL_CPU_TIME, &t->cpu_time},
		{LABEL_AGE, &t->age},     {LABEL_DEADLOCK, &t->deadlock},
	};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		if (!strcmp(key, numbers[i].key))
			*numbers[i].to = number;
	}
}

/* The texts begin with the number: 4711 "writer". */
static s64 awaited_by(const struct listed_thread *t)
{
	const char *whom = t->owner ? t->owner : t->object;
	long long tid = 0;

	if (t->owner || (t->reason && !strcmp(t->reason, "join")))
		(void)sscanf(whom ? whom : "", "%lld ", &tid);
	return tid;
}

static struct listed_thread read_thread(const struct profile *p, u32 number, int type)
{
	const struct profile_sample *s = &p->samples.data[number];
	struct listed_thread t = {.sample = number,
				  .count = p->values.data[s->first_value + (u32)type],
				  .since = -1,
				  .cpu_time = -1,
				  .age = -1};

	for (u32 i = 0; i < s->nlabels; i++) {
		const struct profile_label *label = &p->labels.data[s->first_label + i];
		const char *key = profile_text(p, label->key);

		if (label->str)
			read_text(&t, key, profile_text(p, label->str));
		else
			read_number(&t, key, label->num);
	}
	t.awaited = awaited_by(&t);
	return t;
}

int thread_list_init(struct thread_list *l, const struct profile *p,
		     const struct format_options *opt, struct error *err)
{
	static const struct format_options plain;
	int type = profile_find_sample_type(p, "threads");

	*l = (struct thread_list){.p = p, .opt = opt ? opt : &plain};
	if (type < 0)
		return error_set(err, -EINVAL,
				 "it is not a profile of cprof threads, which this format is for");
	if (vec_reserve(&l->threads, p->samples.len))
		return -ENOMEM;
	for (u32 i = 0; i < p->samples.len; i++)
		l->threads.data[l->threads.len++] = read_thread(p, i, type);
	return 0;
}

static int by_number(const void *left, const void *right)
{
	const struct listed_thread *a = left, *b = right;

	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	return (a->tid > b->tid) - (a->tid < b->tid);
}

void thread_list_by_number(struct thread_list *l)
{
	if (l->threads.len)
		qsort(l->threads.data, l->threads.len, sizeof(*l->threads.data), by_number);
}

void thread_list_release(struct thread_list *l)
{
	vec_release(&l->threads);
}

/* ---- words ----------------------------------------------------------------------------------- */

const char *thread_doing(const struct listed_thread *t)
{
	return t->reason ? t->reason : t->state ? t->state : "unknown";
}

bool thread_waits_for_owner(const struct listed_thread *t)
{
	return t->owner ||
	       (t->reason && (!strcmp(t->reason, "mutex") || !strcmp(t->reason, "rwlock")));
}

static void count_of(s64 n, const char *unit, char out[DURATION_TEXT])
{
	snprintf(out, DURATION_TEXT, "%lld %s%s", (long long)n, unit, n == 1 ? "" : "s");
}

void thread_duration(s64 ns, char out[DURATION_TEXT])
{
	s64 seconds = ns / 1000000000;

	if (!seconds)
		snprintf(out, DURATION_TEXT, "%lld ms", (long long)(ns / 1000000));
	else if (seconds < 60)
		count_of(seconds, "second", out);
	else if (seconds < 2 * 3600)
		count_of(seconds / 60, "minute", out);
	else if (seconds < 48 * 3600)
		count_of(seconds / 3600, "hour", out);
	else
		count_of(seconds / 86400, "day", out);
}

/* ---- stacks ---------------------------------------------------------------------------------- */

void thread_paint(const struct thread_list *l, struct out *o, enum out_color color)
{
	if (l->opt->color)
		out_color(o, color);
}

static void emit_frame(const struct thread_list *l, const char *name, const char *file, s64 line,
		       u32 indent, struct out *o)
{
	u32 width = l->opt->width, columns = 0;
	char shown[2048];

	if (!l->opt->full_names && width)
		columns = width > indent + MIN_NAME_COLUMNS ? width - indent : MIN_NAME_COLUMNS;
	short_name(name, columns, shown, sizeof(shown));
	out_printf(o, "%*s%s", (int)indent, "", shown);
	if (file && *file && line)
		out_printf(o, "  %.200s:%lld", path_name(file), (long long)line);
	out_literal(o, "\n");
}

static void emit_location(const struct thread_list *l, const struct profile_location *at,
			  u32 indent, struct out *o)
{
	const struct profile *p = l->p;
	char name[512];

	if (!at->nlines) {
		view_unnamed(p, at, name, sizeof(name));
		emit_frame(l, name, NULL, 0, indent, o);
	}
	for (u32 i = 0; i < at->nlines; i++) {
		const struct profile_line *line = &p->lines.data[at->first_line + i];
		const struct profile_function *f = &p->functions.data[line->function];

		emit_frame(l, profile_text(p, f->name), profile_text(p, f->filename), line->line,
			   indent, o);
	}
}

void thread_emit_stack(const struct thread_list *l, u32 sample, u32 indent, struct out *o)
{
	const struct profile_sample *s = &l->p->samples.data[sample];

	for (u32 i = 0; i < s->nlocations; i++) {
		u32 number = l->p->stack_locations.data[s->first_location + i];

		emit_location(l, &l->p->locations.data[number], indent, o);
	}
}

/* ---- deadlocks ------------------------------------------------------------------------------- */

u32 thread_count_rings(const struct thread_list *l)
{
	s64 most = 0;

	vec_for_each(&l->threads, t)
		most = t->deadlock > most ? t->deadlock : most;
	return most > 0 && most <= (s64)l->threads.len ? (u32)most : 0;
}

static const struct listed_thread *member(const struct thread_list *l, u32 ring, s64 tid)
{
	vec_for_each(&l->threads, t) {
		if (t->deadlock == ring && (!tid || t->tid == tid))
			return t;
	}
	return NULL;
}

void thread_for_ring(const struct thread_list *l, u32 ring, ring_fn emit, struct out *o)
{
	const struct listed_thread *first = member(l, ring, 0), *t = first;

	for (u32 i = 0; t && i < RING_MAX; i++) {
		const struct listed_thread *next = t->awaited ? member(l, ring, t->awaited) : NULL;

		if (!next)
			break;
		emit(l, t, next, o);
		t = next;
		if (t == first)
			break;
	}
}
