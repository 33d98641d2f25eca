/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shows live memory as a list of leaks. Each stack that holds blocks is listed, the largest first,
 * with their number, their age and their growth since the recording began. The values come from the
 * labels of a profile of cprof heap --leaks.
 */
#include "format/leaks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "format/out.h"
#include "format/short_name.h"
#include "format/units.h"
#include "profile/id_table.h"
#include "profile/labels.h"
#include "view/view.h"

#define HEAD_COLUMNS 10u /* columns before a frame */
#define MIN_NAME_COLUMNS 20u

struct leak {
	size_t sample; /* the first one with this stack, which has the stack's labels */
	s64 bytes, blocks;
};

struct leak_list {
	const struct profile *p;
	const struct format_options *opt;
	int bytes_type, blocks_type;
	VEC(struct leak) leaks;
	struct id_table by_stack;
	s64 bytes, blocks;
};

/* ---- grouping -------------------------------------------------------------------------------- */

static const u32 *stack_of(const struct leak_list *l, size_t sample, size_t *size)
{
	const struct profile_sample *s = &l->p->samples.data[sample];

	*size = s->nlocations * sizeof(u32);
	return l->p->stack_locations.data + s->first_location;
}

struct wanted_stack {
	const struct leak_list *l;
	size_t sample;
};

static bool same_stack(const void *arg, u32 id)
{
	const struct wanted_stack *w = arg;
	size_t a_size, b_size;
	const u32 *a = stack_of(w->l, w->sample, &a_size);
	const u32 *b = stack_of(w->l, w->l->leaks.data[id].sample, &b_size);

	return a_size == b_size && !memcmp(a, b, a_size);
}

static int count_sample(struct leak_list *l, size_t number)
{
	const struct profile_sample *s = &l->p->samples.data[number];
	const s64 *values = l->p->values.data + s->first_value;
	struct wanted_stack w = {l, number};
	size_t size;
	const u32 *stack = stack_of(l, number, &size);
	u32 hash = hash_fold(hash_keyed(0, stack, size));
	s64 id = id_table_find(&l->by_stack, hash, same_stack, &w);

	if (!values[l->bytes_type] && !values[l->blocks_type])
		return 0;
	if (id < 0) {
		if (id_table_reserve(&l->by_stack) ||
		    vec_push(&l->leaks, (struct leak){.sample = number}))
			return -ENOMEM;
		id = (s64)l->leaks.len - 1;
		id_table_add(&l->by_stack, hash, (u32)id);
	}
	l->leaks.data[id].bytes += values[l->bytes_type];
	l->leaks.data[id].blocks += values[l->blocks_type];
	l->bytes += values[l->bytes_type];
	l->blocks += values[l->blocks_type];
	return 0;
}

static int heaviest_first(const void *left, const void *right)
{
	const struct leak *a = left, *b = right;

	if (a->bytes != b->bytes)
		return a->bytes < b->bytes ? 1 : -1;
	return a->sample < b->sample ? -1 : a->sample > b->sample;
}

static int list_fill(struct leak_list *l)
{
	int err = 0;

	for (size_t i = 0; i < l->p->samples.len && !err; i++)
		err = count_sample(l, i);
	if (!err && l->leaks.len)
		qsort(l->leaks.data, l->leaks.len, sizeof(*l->leaks.data), heaviest_first);
	return err;
}

/* ---- printing -------------------------------------------------------------------------------- */

static const struct profile_label *label_of(const struct leak_list *l, const struct leak *leak,
					    const char *key)
{
	const struct profile_sample *s = &l->p->samples.data[leak->sample];

	for (u32 i = 0; i < s->nlabels; i++) {
		const struct profile_label *label = &l->p->labels.data[s->first_label + i];

		if (!strcmp(profile_text(l->p, label->key), key))
			return label;
	}
	return NULL;
}

static void paint(const struct leak_list *l, struct out *o, enum out_color color)
{
	if (l->opt->color)
		out_color(o, color);
}

static void amount(s64 value, const char *unit, char *out, size_t size)
{
	u64 magnitude = value < 0 ? -(u64)value : (u64)value;
	struct unit_scale scale = unit_scale_pick(unit, magnitude, magnitude);

	unit_format(&scale, value, out, size);
}

static void label_bytes(const struct leak_list *l, const struct leak *leak, const char *key,
			char *out, size_t size)
{
	const struct profile_label *label = label_of(l, leak, key);

	if (label)
		amount(label->num, "bytes", out, size);
	else
		snprintf(out, size, "-");
}

static void label_age(const struct leak_list *l, const struct leak *leak, const char *key,
		      char *out, size_t size)
{
	const struct profile_label *label = label_of(l, leak, key);

	if (label)
		snprintf(out, size, "%.1fs", (double)label->num / 1000);
	else
		snprintf(out, size, "-");
}

static void emit_frame(const struct leak_list *l, const char *name, const char *file, s64 line,
		       struct out *o)
{
	char shown[2048];
	u32 width = l->opt->width, columns = 0;

	if (!l->opt->full_names && width)
		columns = width > HEAD_COLUMNS + MIN_NAME_COLUMNS ? width - HEAD_COLUMNS
								  : MIN_NAME_COLUMNS;
	short_name(name, columns, shown, sizeof(shown));
	out_printf(o, "%*s%s", (int)HEAD_COLUMNS, "", shown);
	if (file && *file)
		out_printf(o, "  %.200s:%lld", path_name(file), (long long)line);
	out_literal(o, "\n");
}

static void emit_location(const struct leak_list *l, const struct profile_location *at,
			  struct out *o)
{
	const struct profile *p = l->p;
	char name[512];

	if (!at->nlines) {
		view_unnamed(p, at, name, sizeof(name));
		emit_frame(l, name, NULL, 0, o);
	}
	for (u32 i = 0; i < at->nlines; i++) {
		const struct profile_line *line = &p->lines.data[at->first_line + i];
		const struct profile_function *f = &p->functions.data[line->function];

		emit_frame(l, profile_text(p, f->name), profile_text(p, f->filename), line->line,
			   o);
	}
}

static void emit_leak(const struct leak_list *l, const struct leak *leak, struct out *o)
{
	const struct profile_sample *s = &l->p->samples.data[leak->sample];
	bool growing = label_of(l, leak, LABEL_TREND);
	char bytes[64], growth[64], oldest[64], youngest[64];

	amount(leak->bytes, "bytes", bytes, sizeof(bytes));
	label_bytes(l, leak, LABEL_GROWTH, growth, sizeof(growth));
	label_age(l, leak, LABEL_OLDEST, oldest, sizeof(oldest));
	label_age(l, leak, LABEL_YOUNGEST, youngest, sizeof(youngest));
	paint(l, o, growing ? OUT_RED : OUT_NO_COLOR);
	out_printf(o, "%10s %10lld %10s %9s %9s%s", bytes, (long long)leak->blocks, growth, oldest,
		   youngest, growing ? "  only ever grew" : "");
	paint(l, o, growing ? OUT_PLAIN : OUT_NO_COLOR);
	out_literal(o, "\n");
	for (u32 i = 0; i < s->nlocations; i++)
		emit_location(
			l, &l->p->locations.data[l->p->stack_locations.data[s->first_location + i]],
			o);
	out_literal(o, "\n");
}

static int list_emit(const struct leak_list *l, const struct sink *to)
{
	struct out *o = malloc(sizeof(*o));
	size_t shown = l->leaks.len;
	char bytes[64];
	int err;

	if (!o)
		return -ENOMEM;
	if (l->opt->top && l->opt->top < shown)
		shown = l->opt->top;
	out_init(o, to, OUT_TEXT);
	if (l->p->comments.len)
		out_printf(o, "%s\n", profile_text(l->p, l->p->comments.data[0]));
	amount(l->bytes, "bytes", bytes, sizeof(bytes));
	out_printf(o, "Allocated while recording and alive at its end: %s in %lld blocks\n", bytes,
		   (long long)l->blocks);
	out_printf(o, "Showing %zu of %zu stacks\n\n", shown, l->leaks.len);
	paint(l, o, OUT_BOLD);
	out_literal(o, "      live     blocks     growth    oldest  youngest");
	paint(l, o, OUT_PLAIN);
	out_literal(o, "\n");
	for (size_t i = 0; i < shown; i++)
		emit_leak(l, &l->leaks.data[i], o);
	err = out_flush(o);
	free(o);
	return err;
}

static int leaks_write(const struct profile *p, const struct format_options *opt,
		       const struct sink *to, struct error *err)
{
	static const struct format_options plain;
	struct leak_list l = {.p = p, .opt = opt ? opt : &plain};
	int code = 0;

	l.bytes_type = out_pick_type(p, "inuse_space", err);
	if (l.bytes_type >= 0)
		l.blocks_type = out_pick_type(p, "inuse_objects", err);
	if (l.bytes_type < 0 || l.blocks_type < 0)
		return l.bytes_type < 0 ? l.bytes_type : l.blocks_type;
	code = list_fill(&l);
	if (!code)
		code = list_emit(&l, to);
	vec_release(&l.leaks);
	id_table_release(&l.by_stack);
	return code;
}

const struct format format_leaks = {
	.name = "leaks",
	.suffix = ".txt",
	.summary = "the stacks that hold live memory, with age and growth",
	.write = leaks_write,
};
