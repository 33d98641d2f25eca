/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the processes of a profile that has several, before its functions. In a profile of the
 * whole machine, functions of different programs say little as long as one does not know whose they
 * are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "format/report_print.h"
#include "profile/labels.h"

#define ROWS_MAX 10
#define NUMBER_COLUMNS 20u
#define NAME_COLUMNS 28

static string_id string_of(const struct profile *p, const char *text)
{
	for (size_t i = 0; i < p->strings.len; i++) {
		if (!strcmp(p->strings.data[i], text))
			return (string_id)i;
	}
	return UINT32_MAX;
}

static bool has_processes(const struct profile *p)
{
	string_id pid = string_of(p, LABEL_PID);

	vec_for_each(&p->labels, l) {
		if (l->key == pid)
			return true;
	}
	return false;
}

/* Finds for each process in which container it is, or else in which unit. */
static int find_places(struct view *v, string_id *places)
{
	const string_id container = string_of(v->p, LABEL_CONTAINER),
			unit = string_of(v->p, LABEL_UNIT);

	for (size_t i = 0; i < v->p->samples.len; i++) {
		const struct profile_sample *s = &v->p->samples.data[i];
		int ret = view_stack(v, i);

		if (ret < 0)
			return ret;
		for (u32 k = 0; ret && k < s->nlabels; k++) {
			const struct profile_label *l = &v->p->labels.data[s->first_label + k];
			string_id *place = &places[v->stack.data[0].node];

			if (l->key == container || (l->key == unit && !*place))
				*place = l->str;
		}
	}
	return 0;
}

static void emit_row(const struct report *r, const struct view_node *n, const char *place)
{
	size_t columns = utf8_length(n->name);
	char value[REPORT_NUMBER], share[32];

	report_number(r, n->flat, false, value);
	unit_percent(n->flat, r->v->total, share, sizeof(share));
	out_printf(r->out, "%10s %6s  ", value, share);
	report_name(r, n->name, NUMBER_COLUMNS);
	if (*place) {
		out_printf(r->out, "%*s  ",
			   columns < NAME_COLUMNS ? (int)(NAME_COLUMNS - columns) : 0, "");
		report_name(r, place, NUMBER_COLUMNS + NAME_COLUMNS + 2);
	}
	out_literal(r->out, "\n");
}

static int emit_rows(const struct report *r, struct view *v, const u32 *order, size_t n)
{
	size_t shown = r->o->top && r->o->top < ROWS_MAX ? r->o->top : ROWS_MAX;
	string_id *places = calloc(v->nodes.len + 1, sizeof(*places));
	int ret = places ? find_places(v, places) : -ENOMEM;

	if (!r->o->top || shown > n)
		shown = n;
	if (!ret) {
		out_printf(r->out, "Showing %zu of %zu processes (-g process shows all)\n\n", shown,
			   n);
		report_paint(r, OUT_BOLD);
		out_printf(r->out, "%10s %6s  %-*s", "value", "share", NAME_COLUMNS + 2, "process");
		out_literal(r->out, "container or unit");
		report_paint(r, OUT_PLAIN);
		out_literal(r->out, "\n");
	}
	for (size_t i = 0; i < shown && !ret; i++)
		emit_row(r, &v->nodes.data[order[i]], profile_text(v->p, places[order[i]]));
	if (!ret)
		out_literal(r->out, "\n");
	free(places);
	return ret;
}

int report_processes(const struct report *r)
{
	struct view_options options = r->o->view;
	struct view *v = NULL;
	u32 *order = NULL;
	size_t n = 0;
	int ret;

	if (!has_processes(r->v->p))
		return 0;
	options.group = VIEW_PROCESS;
	ret = view_new(r->v->p, &options, &v, r->err);
	if (!ret)
		ret = view_count(v);
	if (!ret) {
		order = view_order(v, VIEW_BY_FLAT, &n);
		ret = order ? 0 : -ENOMEM;
	}
	if (!ret && n > 1)
		ret = emit_rows(r, v, order, n);
	free(order);
	view_free(v);
	return ret;
}
