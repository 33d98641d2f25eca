/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes folded stacks, `root;frame;leaf COUNT`, in the form that flamegraph.pl, inferno and
 * speedscope all accept: frames are separated by ';', which no name contains, exactly one space
 * precedes an integer, and lines are in byte order.
 *
 * Names repeat from stack to stack, so each is cleaned once and stacks are compared as rows of
 * numbers. Two names are compared only where two stacks begin to differ.
 */
#include "format/format.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "format/folded_count.h"
#include "format/out.h"
#include "format/units.h"
#include "profile/id_table.h"
#include "view/view.h"

struct folded_stack {
	size_t first; /* in frames, root first */
	u32 len;
	s64 value;
};

struct folder {
	const struct profile *p;
	const struct format_options *opt;
	s64 per_count; /* how many of the values are one count (units.h) */
	string_id root_key; /* of opt->root_label; 0 if there is none */
	VEC(char *) names; /* cleaned */
	struct id_table by_name;
	VEC(u32) of_function[4]; /* number of a function's name plus one, for each annotation */
	VEC(u32) frames; /* of all stacks */
	VEC(struct folded_stack) stacks;
};

/* ---- names ----------------------------------------------------------------------------------- */

enum annotation { PLAIN, KERNEL, INLINED, JIT };

static const char *const annotation_suffix[] = {"", "_[k]", "_[i]", "_[j]"};

/* Returns the name as it is shown, without separators, without spaces at its ends, and without what
 * would make a comment or a second count of it. */
static char *clean_name(const char *name, const char *suffix)
{
	size_t len, size;
	char *clean;

	name += strspn(name, " ");
	size = ESCAPED_MAX * strlen(name) + sizeof("[unknown]") + strlen(suffix);
	clean = malloc(size);
	if (!clean)
		return NULL;
	len = escape_text(*name ? name : "[unknown]", clean, size);
	while (len && clean[len - 1] == ' ')
		len--;
	for (size_t i = 0; i < len; i++)
		clean[i] = clean[i] == ';' ? ':' : clean[i];
	clean[len] = '\0';
	if (!strncmp(clean, "# ", 2)) /* a line that begins so is a comment */
		clean[1] = '_';
	/* flamegraph.pl takes a line with two numbers at its end for a difference. */
	if (folded_ends_in_count(clean))
		*strrchr(clean, ' ') = '_';
	strcpy(clean + len, suffix);
	return clean;
}

struct wanted_name {
	const struct folder *f;
	const char *name;
};

static bool same_name(const void *arg, u32 id)
{
	const struct wanted_name *w = arg;

	return !strcmp(w->f->names.data[id], w->name);
}

static s64 name_number(struct folder *f, const char *raw, const char *suffix)
{
	char *name = clean_name(raw, suffix);
	struct wanted_name w = {f, name};
	u32 hash;
	s64 id;

	if (!name)
		return -ENOMEM;
	hash = hash_fold(hash_keyed(0, name, strlen(name)));
	id = id_table_find(&f->by_name, hash, same_name, &w);
	if (id >= 0) {
		free(name);
		return id;
	}
	if (id_table_reserve(&f->by_name) || vec_push(&f->names, name)) {
		free(name);
		return -ENOMEM;
	}
	id_table_add(&f->by_name, hash, (u32)f->names.len - 1);
	return (s64)f->names.len - 1;
}

static s64 function_number(struct folder *f, u32 function, enum annotation a)
{
	u32 *known = &f->of_function[a].data[function];
	s64 id;

	if (*known)
		return *known - 1;
	id = name_number(f, profile_text(f->p, f->p->functions.data[function].name),
			 annotation_suffix[a]);
	if (id >= 0)
		*known = (u32)id + 1;
	return id;
}

static enum annotation annotation_of(const struct folder *f, const struct profile_location *l,
				     u32 line)
{
	if (!f->opt->annotate)
		return PLAIN;
	if (f->p->mappings.data[l->mapping].kind == PROFILE_MAPPING_KERNEL)
		return KERNEL;
	if (f->p->mappings.data[l->mapping].kind == PROFILE_MAPPING_JIT)
		return JIT;
	return line + 1 < l->nlines ? INLINED : PLAIN;
}

/* ---- stacks ---------------------------------------------------------------------------------- */

static int push_name(struct folder *f, s64 number)
{
	if (number < 0)
		return (int)number;
	return vec_push(&f->frames, (u32)number);
}

static int push_location(struct folder *f, const struct profile_location *l)
{
	char unnamed[512];
	int ret = 0;

	if (!l->nlines) {
		view_unnamed(f->p, l, unnamed, sizeof(unnamed));
		return push_name(
			f, name_number(f, unnamed, annotation_suffix[annotation_of(f, l, 0)]));
	}
	for (u32 i = l->nlines; i-- > 0 && !ret;) {
		const struct profile_line *line = &f->p->lines.data[l->first_line + i];

		ret = push_name(f, function_number(f, line->function, annotation_of(f, l, i)));
	}
	return ret;
}

static int push_root(struct folder *f, const struct profile_sample *s)
{
	char number[32];

	for (u32 i = 0; i < s->nlabels; i++) {
		const struct profile_label *l = &f->p->labels.data[s->first_label + i];

		if (l->key != f->root_key)
			continue;
		if (l->str)
			return push_name(f, name_number(f, profile_text(f->p, l->str), ""));
		snprintf(number, sizeof(number), "%" PRId64, l->num);
		return push_name(f, name_number(f, number, ""));
	}
	return push_name(f, name_number(f, "[unknown]", ""));
}

static int push_sample(struct folder *f, const struct profile_sample *s, s64 value)
{
	struct folded_stack stack = {.first = f->frames.len, .value = value};
	int ret = f->root_key ? push_root(f, s) : 0;

	for (u32 i = s->nlocations; i-- > 0 && !ret;) {
		u32 location = f->p->stack_locations.data[s->first_location + i];

		ret = push_location(f, &f->p->locations.data[location]);
	}
	if (!ret && f->frames.len == stack.first)
		ret = push_name(f, name_number(f, "[unknown]", ""));
	stack.len = (u32)(f->frames.len - stack.first);
	return ret ? ret : vec_push(&f->stacks, stack);
}

/* Compares "a<end_a>..." and "b<end_b>..." in byte order, where the ends are ';' or the space
 * before the count. */
static int name_compare(const char *a, char end_a, const char *b, char end_b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	if (!*a && !*b)
		return end_a - end_b;
	if (!*a)
		return end_a != *b ? (u8)end_a - (u8)*b : -1;
	if (!*b)
		return (u8)*a != (u8)end_b ? (u8)*a - (u8)end_b : 1;
	return (u8)*a - (u8)*b;
}

static int stack_compare(const void *left, const void *right, void *arg)
{
	const struct folded_stack *a = left, *b = right;
	const struct folder *f = arg;
	const u32 *x = f->frames.data + a->first, *y = f->frames.data + b->first;
	u32 len = a->len < b->len ? a->len : b->len, i = 0;

	while (i < len && x[i] == y[i])
		i++;
	if (i == len) /* ' ' < ';', so the shorter one comes first */
		return (a->len > b->len) - (a->len < b->len);
	return name_compare(f->names.data[x[i]], i + 1 < a->len ? ';' : ' ', f->names.data[y[i]],
			    i + 1 < b->len ? ';' : ' ');
}

/* Stacks that differ only in addresses or labels become one line. They are neighbours now. */
static void merge_equal(struct folder *f)
{
	size_t kept = 0;

	for (size_t i = 1; i < f->stacks.len; i++) {
		struct folded_stack *last = &f->stacks.data[kept], *s = &f->stacks.data[i];

		if (stack_compare(last, s, f))
			f->stacks.data[++kept] = *s;
		else if (__builtin_add_overflow(last->value, s->value, &last->value))
			last->value = s->value > 0 ? INT64_MAX : INT64_MIN;
	}
	if (f->stacks.len)
		f->stacks.len = kept + 1;
}

/* ---- the whole file -------------------------------------------------------------------------- */

/*
 * Picks the value that is written after the stack. `cpu/nanoseconds` is samples times the period,
 * so users of flame graphs get the samples. Measured types (delay, bytes) are kept.
 */
static int pick_type(const struct profile *p, const struct format_options *opt, struct error *err)
{
	int type = out_pick_type(p, opt->sample_type, err), samples;
	const struct profile_value_type *vt;

	if (type < 0 || opt->sample_type)
		return type;
	vt = &p->sample_types.data[type];
	if (vt->type != p->period_type.type || strcmp(profile_text(p, vt->unit), "nanoseconds"))
		return type;
	samples = profile_find_sample_type(p, "samples/count");
	return samples >= 0 ? samples : type;
}

static int folder_init(struct folder *f)
{
	s64 key;

	for (size_t i = 0; i < ARRAY_LEN(f->of_function); i++) {
		f->of_function[i].data = calloc(f->p->functions.len + 1, sizeof(u32));
		if (!f->of_function[i].data)
			return -ENOMEM;
	}
	if (!f->opt->root_label)
		return 0;
	for (key = (s64)f->p->strings.len - 1; key > 0; key--) {
		if (!strcmp(f->p->strings.data[key], f->opt->root_label))
			break;
	}
	/* No sample has this label, so every root is [unknown]. */
	f->root_key = key > 0 ? (string_id)key : UINT32_MAX;
	return 0;
}

static void folder_release(struct folder *f)
{
	vec_for_each(&f->names, name)
		free(*name);
	vec_release(&f->names);
	id_table_release(&f->by_name);
	for (size_t i = 0; i < ARRAY_LEN(f->of_function); i++)
		vec_release(&f->of_function[i]);
	vec_release(&f->frames);
	vec_release(&f->stacks);
}

/* Writes a count without zeros at the end of its fraction. */
static void emit_count(struct out *o, s64 value, s64 per_count)
{
	s64 rest = value % per_count;

	out_printf(o, " %" PRId64, value / per_count);
	if (rest)
		out_literal(o, ".");
	while (rest) {
		per_count /= 10;
		out_printf(o, "%d", (int)(rest / per_count));
		rest %= per_count;
	}
	out_literal(o, "\n");
}

static int emit_stacks(const struct folder *f, const struct sink *to)
{
	struct out *o = malloc(sizeof(*o));
	int ret;

	if (!o)
		return -ENOMEM;
	out_init(o, to, OUT_TEXT);
	vec_for_each(&f->stacks, s) {
		if (s->value <= 0) /* a flame graph cannot show it */
			continue;
		for (u32 i = 0; i < s->len; i++) {
			if (i)
				out_literal(o, ";");
			out_text(o, f->names.data[f->frames.data[s->first + i]]);
		}
		emit_count(o, s->value, f->per_count);
	}
	ret = out_flush(o);
	free(o);
	return ret;
}

static int folded_write(const struct profile *p, const struct format_options *opt,
			const struct sink *to, struct error *err)
{
	static const struct format_options plain;
	struct folder f = {.p = p, .opt = opt ? opt : &plain};
	int type = pick_type(p, f.opt, err), ret;

	if (type < 0)
		return type;
	f.per_count = unit_per_count(profile_text(p, p->sample_types.data[type].unit));
	ret = folder_init(&f);
	for (size_t i = 0; i < p->samples.len && !ret; i++) {
		const struct profile_sample *s = &p->samples.data[i];

		ret = push_sample(&f, s, p->values.data[s->first_value + (u32)type]);
	}
	if (!ret) {
		if (f.stacks.len)
			qsort_r(f.stacks.data, f.stacks.len, sizeof(*f.stacks.data), stack_compare,
				&f);
		merge_equal(&f);
		ret = emit_stacks(&f, to);
	}
	folder_release(&f);
	return ret;
}

const struct format format_folded = {
	.name = "folded",
	.suffix = ".folded",
	.suffix2 = ".collapsed",
	.summary = "folded stacks: flamegraph.pl, inferno, speedscope",
	.write = folded_write,
};
