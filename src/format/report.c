/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a report: it counts, sorts, and lets one of report_*.c print. See report.h. */
#include "format/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "format/report_print.h"
#include "format/short_name.h"

#define MIN_NAME_COLUMNS 16u
#define HOT_PERCENT 5

/* ---- shared by the reports ------------------------------------------------------------------- */

void report_number(const struct report *r, s64 value, bool dot, char text[REPORT_NUMBER])
{
	struct unit_scale own = r->scale;

	/* As in go tool pprof, tables have one unit, while lines and stacks have one for each
	 * value. */
	if (r->o->kind == REPORT_LIST || r->o->kind == REPORT_TRACES || r->o->kind == REPORT_TAGS)
		own = unit_scale_pick(r->unit, view_magnitude(value), view_magnitude(value));
	if (dot && !value)
		strcpy(text, ".");
	else
		unit_format(&own, value, text, REPORT_NUMBER);
}

void report_paint(const struct report *r, enum out_color color)
{
	if (r->o->color)
		out_color(r->out, color);
}

enum out_color report_node_color(const struct report *r, const struct view_node *n)
{
	if (!r->o->color)
		return OUT_NO_COLOR;
	if ((double)view_magnitude(n->flat) * 100 >= (double)r->v->total * HOT_PERCENT)
		return OUT_RED;
	return n->kind == PROFILE_MAPPING_KERNEL      ? OUT_CYAN
	       : n->kind == PROFILE_MAPPING_SYNTHETIC ? OUT_DIM
						      : OUT_NO_COLOR;
}

void report_node_numbers(const struct report *r, const struct view_node *n, s64 sum)
{
	char flat[REPORT_NUMBER], cum[REPORT_NUMBER];
	char flat_share[32], sum_share[32], cum_share[32];

	report_number(r, n->flat, false, flat);
	report_number(r, n->cum, false, cum);
	unit_percent(n->flat, r->v->total, flat_share, sizeof(flat_share));
	unit_percent(sum, r->v->total, sum_share, sizeof(sum_share));
	unit_percent(n->cum, r->v->total, cum_share, sizeof(cum_share));
	out_printf(r->out, "%10s %6s %6s %10s %6s", flat, flat_share, sum_share, cum, cum_share);
}

void report_name(const struct report *r, const char *name, size_t used)
{
	size_t columns = 0;
	char text[2048];

	if (r->o->full_names) {
		out_text(r->out, name);
		return;
	}
	if (r->o->width)
		columns = r->o->width < used + MIN_NAME_COLUMNS ? MIN_NAME_COLUMNS
								: r->o->width - used;
	short_name(name, columns, text, sizeof(text));
	out_text(r->out, text);
}

static void emit_time(const struct profile *p, struct out *o)
{
	time_t seconds = (time_t)(p->time_nanos / 1000000000);
	struct tm tm;
	char text[64];

	if (!p->time_nanos || !localtime_r(&seconds, &tm))
		return;
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %Z", &tm);
	out_printf(o, "Time: %s\n", text);
}

static void emit_total(const struct report *r)
{
	s64 duration = r->v->p->duration_nanos, total = r->v->total;
	struct unit_scale of_time = unit_scale_pick("nanoseconds", (u64)duration, (u64)duration);
	struct unit_scale of_total = unit_scale_pick(r->unit, (u64)total, (u64)total);
	char took[64], text[64], share[32];

	unit_format(&of_total, total, text, sizeof(text));
	if (duration <= 0) {
		out_printf(r->out, "Total: %s\n", text);
		return;
	}
	unit_format(&of_time, duration, took, sizeof(took));
	out_printf(r->out, "Duration: %s, Total: %s", took, text);
	if (!strcmp(r->unit, "nanoseconds")) {
		unit_percent(total, duration, share, sizeof(share));
		out_printf(r->out, " (%s)", share + strspn(share, " "));
	}
	out_literal(r->out, "\n");
}

void report_head(const struct report *r)
{
	const struct profile *p = r->v->p;

	if (p->comments.len)
		out_printf(r->out, "%s\n", profile_text(p, p->comments.data[0]));
	out_printf(r->out, "Type: %s\n", profile_text(p, p->sample_types.data[r->v->o.type].type));
	emit_time(p, r->out);
	emit_total(r);
}

/* ---- the whole report ------------------------------------------------------------------------ */

/* go tool pprof also leaves out nodes below half a percent by default. */
static bool is_dust(const struct report *r, const struct view_node *n)
{
	u64 most = view_magnitude(n->flat) > view_magnitude(n->cum) ? view_magnitude(n->flat)
								    : view_magnitude(n->cum);

	return r->o->top && (double)most * 200 < (double)view_magnitude(r->v->total);
}

/* The rows that are shown decide, because a wait of a microsecond is no reason to show hours in
 * microseconds. */
static void pick_scale(struct report *r)
{
	/* Functions that match are shown however small they are. */
	size_t n = r->o->function ? r->n : r->shown;
	u64 smallest = 0;

	for (size_t i = 0; i < n; i++) {
		const struct view_node *node = &r->v->nodes.data[r->order[i]];
		u64 least = view_magnitude(node->flat ? node->flat : node->cum);

		if (least && !is_dust(r, node) && (!smallest || least < smallest))
			smallest = least;
	}
	r->scale = unit_scale_pick(r->unit, smallest, (u64)r->v->total);
}

static int print(struct report *r)
{
	switch (r->o->kind) {
	case REPORT_TOP:
		return report_top(r);
	case REPORT_LIST:
		return report_list(r);
	case REPORT_TRACES:
		return report_traces(r);
	case REPORT_TAGS:
		return report_tags(r);
	default:
		return report_tree(r);
	}
}

static int count_nodes(struct report *r)
{
	switch (r->o->kind) {
	case REPORT_LIST:
	case REPORT_TRACES:
	case REPORT_TAGS:
		return view_count(r->v);
	case REPORT_TOP:
		return view_count_inlining(r->v);
	default:
		return view_count_edges(r->v);
	}
}

static int count(struct report *r)
{
	int ret = count_nodes(r);

	if (ret)
		return ret;
	r->order = view_order(r->v, r->o->order, &r->n);
	if (!r->order)
		return -ENOMEM;
	r->shown = r->o->top && r->o->top < r->n ? r->o->top : r->n;
	pick_scale(r);
	return 0;
}

int report_write(const struct profile *p, const struct report_options *o, const struct sink *to,
		 struct error *err)
{
	struct report r = {.o = o, .err = err, .out = malloc(sizeof(*r.out))};
	struct view_options view = o->view;
	int ret = -ENOMEM, flushed;

	if (!r.out)
		return -ENOMEM;
	out_init(r.out, to, OUT_TEXT);
	if (o->kind == REPORT_LIST) {
		view.group = VIEW_LINE;
		view.by_module = true; /* go tool pprof distinguishes modules only in this report */
	}
	r.unit = profile_text(p, p->sample_types.data[view.type].unit);
	ret = view_new(p, &view, &r.v, err);
	if (!ret)
		ret = count(&r);
	if (!ret)
		ret = print(&r);
	flushed = ret ? 0 : out_flush(r.out);
	view_free(r.v);
	free(r.order);
	free(r.out);
	return ret ? ret : flushed;
}
