/* SPDX-License-Identifier: Apache-2.0 */
/* Implements cprof diff: which functions grew or shrank between two profiles. */
#include "command_line.h"
#include "exit_codes.h"
#include "format/align_counts.h"
#include "format/report_diff.h"
#include "viewing.h"
#include "verbs.h"

static int print_table(const struct options *o, const struct profile *base,
		       const struct profile *now, struct terminal *t)
{
	const struct compare_options how = {.sample_type = o->sample_type,
					    .filter = o->filter,
					    .scale = o->scale,
					    .by_cum = o->by_cum};
	const struct diff_print print = {.top = o->top,
					 .width = t->width,
					 .color = t->out_color,
					 .full_names = o->full_names,
					 .by_cum = o->by_cum};
	const struct sink to = viewing_stdout();
	struct error err = {0};
	struct compare *c;
	int code = compare_new(base, now, &how, &c, &err);

	if (!code) {
		code = diff_write(c, &print, &to);
		compare_free(c);
	}
	return code ? viewing_failed(t, code, &err) : CPROF_EXIT_OK;
}

static int write_page(const struct options *o, struct profile *base, struct profile *now,
		      struct terminal *t)
{
	int status = viewing_filter(o, base, t);

	if (!status)
		status = viewing_filter(o, now, t);
	return status ? status : viewing_write(o, now, base, t);
}

static int run(const struct verb_spec *verb, int argc, char **argv)
{
	struct profile *base, *now;
	struct terminal t;
	struct options o;
	int status;

	if (!command_line_read(verb, argc, argv, &o, &t, &status))
		return status;
	base = viewing_load(&o, 0, &t);
	now = base ? viewing_load(&o, 1, &t) : NULL;
	if (now && counts_align((struct profile *[]){base, now}, 2)) {
		terminal_error(&t, "not enough memory");
		status = CPROF_EXIT_FAILED;
	} else if (now)
		status = o.output || o.format ? write_page(&o, base, now, &t)
					      : print_table(&o, base, now, &t);
	else
		status = CPROF_EXIT_FAILED;
	profile_free(base);
	profile_free(now);
	return status;
}

const struct verb_spec verb_diff = {
	.name = "diff",
	.group = VERBS_READING,
	.bit = VERB_DIFF,
	.summary = "which functions grew or shrank, and which changes are noise",
	.synopsis = "BASE NEW [--raw|--normalize] [OPTIONS]",
	.examples = "  cprof diff monday.pb.gz friday.pb.gz              per second of recording\n"
		    "  cprof diff monday.pb.gz friday.pb.gz --normalize  shares of the whole\n",
	.run = run,
};
