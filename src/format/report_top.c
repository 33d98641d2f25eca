/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the table of the top functions, as go tool pprof -top does. */
#include <string.h>

#include "format/report_print.h"

#define NUMBER_COLUMNS 44u /* columns before the function */

static const char *const titles[] = {
	[VIEW_FUNCTION] = "function",   [VIEW_FILE] = "file",     [VIEW_LINE] = "line",
	[VIEW_MODULE] = "module",       [VIEW_THREAD] = "thread", [VIEW_PROCESS] = "process",
	[VIEW_CONTAINER] = "container", [VIEW_UNIT] = "unit",     [VIEW_LABEL] = "value",
};

static int emit_head(const struct report *r)
{
	const char *title = titles[r->v->o.group];
	char sum[REPORT_NUMBER], share[32];
	s64 flat = 0;
	int ret;

	report_head(r);
	ret = r->o->processes ? report_processes(r) : 0;
	if (ret)
		return ret;
	for (size_t i = 0; i < r->shown; i++)
		flat = view_add(flat, r->v->nodes.data[r->order[i]].flat);
	report_number(r, flat, false, sum);
	unit_percent(flat, r->v->total, share, sizeof(share));
	out_printf(r->out, "Showing %zu of %zu %s%s: %s, %s of the total\n\n", r->shown, r->n,
		   title, r->v->o.group == VIEW_PROCESS ? "es" : "s", sum,
		   share + strspn(share, " "));
	report_paint(r, OUT_BOLD);
	out_printf(r->out, "      flat  flat%%   sum%%        cum   cum%%  %s", title);
	report_paint(r, OUT_PLAIN);
	out_literal(r->out, "\n");
	return 0;
}

static void emit_row(const struct report *r, const struct view_node *n, s64 sum)
{
	const char *suffix = !n->inlined ? "" : n->physical ? " (partial-inline)" : " (inline)";
	enum out_color color = report_node_color(r, n);

	report_paint(r, color);
	report_node_numbers(r, n, sum);
	out_literal(r->out, "  ");
	report_name(r, n->name, NUMBER_COLUMNS + strlen(suffix));
	out_text(r->out, suffix);
	report_paint(r, color ? OUT_PLAIN : OUT_NO_COLOR);
	out_literal(r->out, "\n");
}

int report_top(struct report *r)
{
	int ret = emit_head(r);
	s64 sum = 0;

	if (ret)
		return ret;
	for (size_t i = 0; i < r->shown; i++) {
		const struct view_node *n = &r->v->nodes.data[r->order[i]];

		sum = view_add(sum, n->flat);
		emit_row(r, n, sum);
	}
	return 0;
}
