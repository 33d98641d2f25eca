/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the report of the top functions available as a format. */
#include "format/format.h"

#include "format/out.h"
#include "format/report.h"

static int text_write(const struct profile *p, const struct format_options *opt,
		      const struct sink *to, struct error *err)
{
	static const struct format_options plain;
	struct report_options o = {.kind = REPORT_TOP, .processes = true};
	int type;

	if (!opt)
		opt = &plain;
	type = out_pick_type(p, opt->sample_type, err);
	if (type < 0)
		return type;
	o.view.type = type;
	o.top = opt->top;
	o.width = opt->width;
	o.color = opt->color;
	o.full_names = opt->full_names;
	return report_write(p, &o, to, err);
}

const struct format format_text = {
	.name = "text",
	.suffix = ".txt",
	.suffix2 = ".text",
	.summary = "a table of the top functions, as go tool pprof -top",
	.write = text_write,
};
