/* SPDX-License-Identifier: Apache-2.0 */
/* Prints every stack with its value and labels, as go tool pprof -traces does. */
#include <inttypes.h>

#include "format/report_print.h"

#define FRAME_COLUMNS 13u

static void emit_separator(const struct report *r)
{
	report_paint(r, OUT_DIM);
	out_literal(r->out, "-----------+-------------------------------------------------------");
	report_paint(r, OUT_PLAIN);
	out_literal(r->out, "\n");
}

static void emit_labels(const struct report *r, const struct profile_sample *s)
{
	const struct profile *p = r->v->p;

	for (u32 i = 0; i < s->nlabels; i++) {
		const struct profile_label *l = &p->labels.data[s->first_label + i];

		out_printf(r->out, "%10.100s:  ", profile_text(p, l->key));
		if (l->str)
			report_name(r, profile_text(p, l->str), FRAME_COLUMNS);
		else
			out_printf(r->out, "%" PRId64 "%.100s", l->num,
				   profile_text(p, l->num_unit));
		out_literal(r->out, "\n");
	}
}

static void emit_stack(const struct report *r, s64 value)
{
	char text[REPORT_NUMBER];

	report_number(r, value, false, text);
	for (size_t i = 0; i < r->v->stack.len; i++) {
		const struct view_frame *f = &r->v->stack.data[i];

		out_printf(r->out, "%10s   ", i ? "" : text);
		report_name(r, r->v->nodes.data[f->node].name,
			    FRAME_COLUMNS + (f->inlined ? sizeof(" (inline)") - 1 : 0));
		out_printf(r->out, "%s\n", f->inlined ? " (inline)" : "");
	}
}

int report_traces(struct report *r)
{
	size_t shown = 0;

	report_head(r);
	for (size_t i = 0; i < r->v->p->samples.len; i++) {
		int ret = view_stack(r->v, i);

		if (ret < 0)
			return ret;
		if (!ret)
			continue;
		if (r->o->top && shown++ >= r->o->top)
			break;
		emit_separator(r);
		emit_labels(r, &r->v->p->samples.data[i]);
		emit_stack(r, view_value(r->v, i));
	}
	emit_separator(r);
	return 0;
}
