/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of the top functions, with the numbers of `go tool pprof -top`: flat is what a function
 * did itself (innermost inlined function of the leaf), cum what was done in it and below, counted once
 * a stack however often it recurses. Functions are told apart by name alone, as pprof does.
 */
#include "format/format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "format/out.h"
#include "format/short_name.h"
#include "format/units.h"
#include "profile/id_table.h"

#define NUMBER_COLUMNS 44u /* all that stands before the function */
#define MIN_NAME_COLUMNS 20u
#define HOT_PERCENT 5

struct row {
	const char *name; /* borrowed from the profile, or owned by unnamed */
	s64 flat, cum;
	size_t seen; /* number of the last sample that was counted into cum, plus one */
	u8 kind; /* enum profile_mapping_kind of its code */
	bool inlined, physical; /* in which ways it was met */
};

struct table {
	const struct profile *p;
	const struct format_options *opt;
	struct profile_value_type type;
	VEC(struct row) rows;
	VEC(char *) unnamed;
	struct id_table by_name;
	u32 *of_function; /* a function's row plus one */
	s64 total; /* of absolute values, as pprof counts it */
	struct unit_scale scale;
};

/* ---- summing up ------------------------------------------------------------------------------- */

struct wanted_row {
	const struct table *t;
	const char *name;
};

static bool same_row(const void *arg, u32 id)
{
	const struct wanted_row *w = arg;

	return !strcmp(w->t->rows.data[id].name, w->name);
}

/* The row of that name, -1 when there is none; *hash for row_add. */
static s64 row_find(const struct table *t, const char *name, u32 *hash)
{
	struct wanted_row w = {t, name};

	*hash = hash_fold(hash_bytes(0, name, strlen(name)));
	return id_table_find(&t->by_name, *hash, same_row, &w);
}

/* `name` is kept, not copied. */
static s64 row_add(struct table *t, const char *name, u32 hash, u8 kind)
{
	struct row r = {.name = name, .kind = kind};

	if (id_table_reserve(&t->by_name) || vec_push(&t->rows, r))
		return -ENOMEM;
	id_table_add(&t->by_name, hash, (u32)t->rows.len - 1);
	return (s64)t->rows.len - 1;
}

static s64 row_of_function(struct table *t, u32 function, u8 kind)
{
	const char *name = profile_text(t->p, t->p->functions.data[function].name);
	u32 hash;
	s64 row;

	if (t->of_function[function])
		return t->of_function[function] - 1;
	row = row_find(t, *name ? name : "[unknown]", &hash);
	if (row < 0)
		row = row_add(t, *name ? name : "[unknown]", hash, kind);
	if (row >= 0)
		t->of_function[function] = (u32)row + 1;
	return row;
}

static s64 row_of_unnamed(struct table *t, const struct profile_location *l)
{
	char name[512], *copy;
	u32 hash;
	s64 row;

	out_unnamed(t->p, l, name, sizeof(name));
	row = row_find(t, name, &hash);
	if (row >= 0)
		return row;
	copy = strdup(name);
	if (!copy || vec_push(&t->unnamed, copy)) {
		free(copy);
		return -ENOMEM;
	}
	return row_add(t, copy, hash, t->p->mappings.data[l->mapping].kind);
}

static s64 add_saturated(s64 a, s64 b)
{
	s64 sum;

	if (!__builtin_add_overflow(a, b, &sum))
		return sum;
	return b > 0 ? INT64_MAX : INT64_MIN;
}

static int count_frame(struct table *t, s64 number, size_t sample, s64 value, bool leaf)
{
	struct row *r;

	if (number < 0)
		return (int)number;
	r = &t->rows.data[number];
	if (leaf)
		r->flat = add_saturated(r->flat, value);
	if (r->seen != sample + 1)
		r->cum = add_saturated(r->cum, value);
	r->seen = sample + 1;
	return 0;
}

static int count_location(struct table *t, const struct profile_location *l, size_t sample,
			  s64 value, bool leaf)
{
	u8 kind = t->p->mappings.data[l->mapping].kind;
	int ret = 0;

	if (!l->nlines)
		return count_frame(t, row_of_unnamed(t, l), sample, value, leaf);
	for (u32 i = 0; i < l->nlines && !ret; i++) {
		u32 function = t->p->lines.data[l->first_line + i].function;
		s64 row = row_of_function(t, function, kind);

		ret = count_frame(t, row, sample, value, leaf && !i);
		if (ret)
			return ret;
		if (i + 1 < l->nlines)
			t->rows.data[row].inlined = true;
		else
			t->rows.data[row].physical = true;
	}
	return ret;
}

static int table_fill(struct table *t, int type)
{
	const struct profile *p = t->p;
	int ret = 0;

	t->of_function = calloc(p->functions.len + 1, sizeof(*t->of_function));
	if (!t->of_function)
		return -ENOMEM;
	for (size_t i = 0; i < p->samples.len && !ret; i++) {
		const struct profile_sample *s = &p->samples.data[i];
		s64 value = p->values.data[s->first_value + (u32)type];

		if (!value)
			continue;
		t->total = add_saturated(t->total, llabs(value < -INT64_MAX ? INT64_MAX : value));
		for (u32 k = 0; k < s->nlocations && !ret; k++) {
			u32 l = p->stack_locations.data[s->first_location + k];

			ret = count_location(t, &p->locations.data[l], i, value, !k);
		}
	}
	return ret;
}

static u64 magnitude(s64 v)
{
	return v < 0 ? -(u64)v : (u64)v;
}

static int larger_first(s64 a, s64 b)
{
	return (magnitude(a) < magnitude(b)) - (magnitude(a) > magnitude(b));
}

static int row_compare(const void *left, const void *right)
{
	const struct row *a = left, *b = right;
	int order = larger_first(a->flat, b->flat);

	if (!order)
		order = larger_first(a->cum, b->cum);
	return order ? order : strcmp(a->name, b->name);
}

static void table_sort(struct table *t)
{
	u64 smallest = 0;

	if (t->rows.len)
		qsort(t->rows.data, t->rows.len, sizeof(*t->rows.data), row_compare);
	vec_for_each(&t->rows, r) {
		u64 least = magnitude(r->flat ? r->flat : r->cum);

		if (least && (!smallest || least < smallest))
			smallest = least;
	}
	t->scale = unit_scale_pick(profile_text(t->p, t->type.unit), smallest, (u64)t->total);
}

static void table_release(struct table *t)
{
	vec_for_each(&t->unnamed, name)
		free(*name);
	vec_release(&t->unnamed);
	vec_release(&t->rows);
	id_table_release(&t->by_name);
	free(t->of_function);
}

/* ---- printing --------------------------------------------------------------------------------- */

static void emit_time(const struct table *t, struct out *o)
{
	time_t seconds = (time_t)(t->p->time_nanos / 1000000000);
	struct tm tm;
	char text[64];

	if (!t->p->time_nanos || !localtime_r(&seconds, &tm))
		return;
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %Z", &tm);
	out_printf(o, "Time: %s\n", text);
}

static void emit_total(const struct table *t, struct out *o)
{
	s64 duration = t->p->duration_nanos;
	struct unit_scale of_time = unit_scale_pick("nanoseconds", (u64)duration, (u64)duration);
	struct unit_scale of_total =
		unit_scale_pick(profile_text(t->p, t->type.unit), (u64)t->total, (u64)t->total);
	char took[64], total[64], share[32];

	unit_format(&of_total, t->total, total, sizeof(total));
	if (duration <= 0) {
		out_printf(o, "Total: %s\n", total);
		return;
	}
	unit_format(&of_time, duration, took, sizeof(took));
	out_printf(o, "Duration: %s, Total: %s", took, total);
	if (!strcmp(profile_text(t->p, t->type.unit), "nanoseconds")) {
		unit_percent(t->total, duration, share, sizeof(share));
		out_printf(o, " (%s)", share + strspn(share, " "));
	}
	out_text(o, "\n");
}

static void emit_head(const struct table *t, size_t shown, struct out *o)
{
	char sum[64], share[32];
	s64 flat = 0;

	if (t->p->comments.len)
		out_printf(o, "%s\n", profile_text(t->p, t->p->comments.data[0]));
	out_printf(o, "Type: %s\n", profile_text(t->p, t->type.type));
	emit_time(t, o);
	emit_total(t, o);
	for (size_t i = 0; i < shown; i++)
		flat = add_saturated(flat, t->rows.data[i].flat);
	unit_format(&t->scale, flat, sum, sizeof(sum));
	unit_percent(flat, t->total, share, sizeof(share));
	out_printf(o, "Showing %zu of %zu functions: %s, %s of the total\n\n", shown, t->rows.len,
		   sum, share + strspn(share, " "));
	out_printf(o, "%s      flat  flat%%   sum%%        cum   cum%%  function%s\n",
		   t->opt->color ? "\033[1m" : "", t->opt->color ? "\033[0m" : "");
}

/* Columns that are left for the function's name; 0: as many as it takes. */
static size_t name_columns(const struct table *t, size_t suffix)
{
	if (t->opt->full_names || !t->opt->width)
		return 0;
	if (t->opt->width < NUMBER_COLUMNS + MIN_NAME_COLUMNS + suffix)
		return MIN_NAME_COLUMNS;
	return t->opt->width - NUMBER_COLUMNS - suffix;
}

static const char *row_color(const struct table *t, const struct row *r)
{
	if (!t->opt->color)
		return "";
	if ((double)magnitude(r->flat) * 100 >= (double)t->total * HOT_PERCENT)
		return "\033[31m";
	return r->kind == PROFILE_MAPPING_KERNEL      ? "\033[36m"
	       : r->kind == PROFILE_MAPPING_SYNTHETIC ? "\033[2m"
						      : "";
}

static void emit_name(struct out *o, const char *name)
{
	for (; *name; name++)
		out_bytes(o, (u8)*name < ' ' || *name == 0x7f ? " " : name, 1);
}

static void emit_row(const struct table *t, const struct row *r, s64 sum, struct out *o)
{
	const char *suffix = !r->inlined ? "" : r->physical ? " (partial-inline)" : " (inline)";
	const char *color = row_color(t, r);
	char flat[64], flat_share[32], sum_share[32], cum[64], cum_share[32], name[2048];

	unit_format(&t->scale, r->flat, flat, sizeof(flat));
	unit_format(&t->scale, r->cum, cum, sizeof(cum));
	unit_percent(r->flat, t->total, flat_share, sizeof(flat_share));
	unit_percent(sum, t->total, sum_share, sizeof(sum_share));
	unit_percent(r->cum, t->total, cum_share, sizeof(cum_share));
	out_printf(o, "%s%10s %6s %6s %10s %6s  ", color, flat, flat_share, sum_share, cum,
		   cum_share);
	if (t->opt->full_names) {
		emit_name(o, r->name);
	} else {
		short_name(r->name, name_columns(t, strlen(suffix)), name, sizeof(name));
		emit_name(o, name);
	}
	out_printf(o, "%s%s\n", suffix, *color ? "\033[0m" : "");
}

static int table_emit(const struct table *t, const struct sink *to)
{
	struct out *o = malloc(sizeof(*o));
	size_t shown = t->rows.len;
	s64 sum = 0;
	int ret;

	if (!o)
		return -ENOMEM;
	if (t->opt->top && t->opt->top < shown)
		shown = t->opt->top;
	out_init(o, to);
	emit_head(t, shown, o);
	for (size_t i = 0; i < shown; i++) {
		sum = add_saturated(sum, t->rows.data[i].flat);
		emit_row(t, &t->rows.data[i], sum, o);
	}
	ret = out_flush(o);
	free(o);
	return ret;
}

static int text_write(const struct profile *p, const struct format_options *opt,
		      const struct sink *to, struct error *err)
{
	static const struct format_options plain;
	struct table t = {.p = p, .opt = opt ? opt : &plain};
	int type = out_pick_type(p, t.opt->sample_type, err), ret;

	if (type < 0)
		return type;
	t.type = p->sample_types.data[type];
	ret = table_fill(&t, type);
	if (!ret) {
		table_sort(&t);
		ret = table_emit(&t, to);
	}
	table_release(&t);
	return ret;
}

const struct format format_text = {
	.name = "text",
	.suffix = ".txt",
	.suffix2 = ".text",
	.summary = "a table of the top functions, as go tool pprof -top",
	.write = text_write,
};
