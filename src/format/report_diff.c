/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the table of `cprof diff`: see report_diff.h. */
#include "format/report_diff.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/out.h"
#include "format/short_name.h"
#include "format/units.h"

#define NUMBER_COLUMNS 45u
#define MIN_NAME_COLUMNS 16u
#define MODULE_COLUMNS 24u /* the most columns, including its parentheses */

struct diff {
	const struct compare *c;
	const struct diff_print *o;
	struct unit_scale scale;
	struct out *out;
};

static void signed_number(const struct diff *d, s64 value, char *text, size_t size)
{
	*text = '+';
	unit_format(&d->scale, value, text + (value > 0), size - 1);
}

static s64 difference(const struct compare_row *r)
{
	s64 value;

	if (!__builtin_sub_overflow(r->now, r->base, &value))
		return value;
	return r->now > r->base ? INT64_MAX : INT64_MIN;
}

/* Writes "+12.3%", "new" or "gone". */
static void relative(const struct compare_row *r, char *text, size_t size)
{
	double percent;

	if (!r->base || !r->now) {
		snprintf(text, size, "%s", !r->base && !r->now ? "" : r->base ? "gone" : "new");
		return;
	}
	percent = 100.0 * ((double)r->now - (double)r->base) / (double)llabs(r->base);
	snprintf(text, size, percent >= 1000 || percent <= -1000 ? "%+.0f%%" : "%+.1f%%", percent);
}

static void paint(const struct diff *d, enum out_color color)
{
	if (d->o->color)
		out_color(d->out, color);
}

static size_t module_columns(u32 width)
{
	const u32 least = NUMBER_COLUMNS + MIN_NAME_COLUMNS + 8;

	if (width >= NUMBER_COLUMNS + MIN_NAME_COLUMNS + MODULE_COLUMNS)
		return MODULE_COLUMNS;
	return width > least ? width - NUMBER_COLUMNS - MIN_NAME_COLUMNS : 8;
}

static void emit_name(const struct diff *d, const struct compare_row *r)
{
	size_t module = *r->module && r->name[0] != '[' ? strlen(r->module) + 3 : 0, columns = 0;
	char name[2048], where[256];

	if (d->o->width) {
		if (module > module_columns(d->o->width))
			module = module_columns(d->o->width);
		columns = d->o->width > NUMBER_COLUMNS + module + MIN_NAME_COLUMNS
				  ? d->o->width - NUMBER_COLUMNS - module
				  : MIN_NAME_COLUMNS;
	}
	if (d->o->full_names) {
		out_text(d->out, r->name);
	} else {
		short_name(r->name, columns, name, sizeof(name));
		out_text(d->out, name);
	}
	if (!module)
		return;
	short_name(r->module, d->o->full_names || !d->o->width ? 0 : module - 3, where,
		   sizeof(where));
	out_printf(d->out, " (%s)", where);
}

static void emit_row(const struct diff *d, const struct compare_row *r)
{
	enum out_color color = r->noise ? OUT_DIM : r->now > r->base ? OUT_RED : OUT_GREEN;
	const char *mark = r->noise ? "~" : " ";
	char base[64], now[64], delta[64], share[32];

	unit_format(&d->scale, r->base, base, sizeof(base));
	unit_format(&d->scale, r->now, now, sizeof(now));
	signed_number(d, difference(r), delta, sizeof(delta));
	relative(r, share, sizeof(share));
	paint(d, color);
	out_printf(d->out, "%10s %10s %10s %8s %s  ", base, now, delta, share, mark);
	emit_name(d, r);
	paint(d, OUT_PLAIN);
	out_literal(d->out, "\n");
}

/* Says how the base was scaled, so that nobody takes a shorter recording for a faster program. */
static void emit_scale(const struct diff *d)
{
	const struct compare *c = d->c;
	struct unit_scale was, is;
	char base[64], now[64];

	if (c->scaled_by == COMPARE_TOTALS)
		out_printf(d->out, "The base is multiplied by %.4g to make both totals equal.\n",
			   c->scale);
	if (c->scaled_by != COMPARE_PER_SECOND)
		return;
	was = unit_scale_pick("nanoseconds", (u64)c->base_duration, (u64)c->base_duration);
	is = unit_scale_pick("nanoseconds", (u64)c->now_duration, (u64)c->now_duration);
	unit_format(&was, c->base_duration, base, sizeof(base));
	unit_format(&is, c->now_duration, now, sizeof(now));
	out_printf(d->out,
		   "Compared per second of recording: the base took %s, the new profile %s, so the "
		   "base is multiplied by %.4g (not with --raw).\n",
		   base, now, c->scale);
}

static void emit_head(const struct diff *d, size_t shown, size_t changed, size_t noise)
{
	const struct compare *c = d->c;
	struct compare_row all = {.base = c->base_total, .now = c->now_total};
	char base[64], now[64], delta[64], share[32];

	out_printf(d->out, "Type: %s\n", c->type);
	emit_scale(d);
	unit_format(&d->scale, c->base_total, base, sizeof(base));
	unit_format(&d->scale, c->now_total, now, sizeof(now));
	signed_number(d, difference(&all), delta, sizeof(delta));
	relative(&all, share, sizeof(share));
	out_printf(d->out, "Total: %s -> %s, %s%s%s\n", base, now, delta, *share ? ", " : "",
		   share);
	out_printf(d->out,
		   "Showing %zu of %zu functions; %zu changed, %zu of them within sampling noise "
		   "(~)\n\n",
		   shown, c->rows.len, changed, noise);
	paint(d, OUT_BOLD);
	out_printf(d->out, "      base        new      delta        %%    %s",
		   d->o->by_cum ? "function (including what it called)" : "function");
	paint(d, OUT_PLAIN);
	out_literal(d->out, "\n");
}

/* The largest change that is shown decides; it should have two digits before the point. */
static void pick_scale(struct diff *d, size_t shown)
{
	u64 largest = shown ? view_magnitude(difference(&d->c->rows.data[0])) / 10 : 0;

	if (!largest)
		largest = view_magnitude(d->c->now_total > d->c->base_total ? d->c->now_total
									    : d->c->base_total);
	d->scale = unit_scale_pick(d->c->unit, largest, largest);
}

int diff_write(const struct compare *c, const struct diff_print *o, const struct sink *to)
{
	struct diff d = {.c = c, .o = o, .out = malloc(sizeof(*d.out))};
	size_t shown = o->top && o->top < c->rows.len ? o->top : c->rows.len, changed = 0,
	       noise = 0;
	int ret;

	if (!d.out)
		return -ENOMEM;
	out_init(d.out, to, OUT_TEXT);
	pick_scale(&d, shown);
	vec_for_each(&c->rows, r) {
		changed += r->now != r->base;
		noise += r->now != r->base && r->noise;
	}
	emit_head(&d, shown, changed, noise);
	for (size_t i = 0; i < shown; i++)
		emit_row(&d, &c->rows.data[i]);
	ret = out_flush(d.out);
	free(d.out);
	return ret;
}
