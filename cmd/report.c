/* SPDX-License-Identifier: Apache-2.0 */
/* Implements cprof report: the contents of a profile, on the terminal. */
#include <errno.h>
#include <stdio.h>

#include "command_line.h"
#include "exit_codes.h"
#include "format/out.h"
#include "format/report.h"
#include "summary.h"
#include "viewing.h"
#include "verbs.h"

static struct report_options report_of(const struct options *o, const struct terminal *t, int type,
				       struct readers *readers)
{
	return (struct report_options){
		.kind = o->report,
		.function = o->report_function,
		.view = {.type = type,
			 .group = o->group,
			 .label = o->group_label,
			 .filter = o->filter},
		.order = o->by_cum ? VIEW_BY_CUM : VIEW_BY_FLAT,
		/* Stacks have no order in which the first ones would be the important ones. */
		.top = o->report == REPORT_TRACES && !o->top_given ? 0 : o->top,
		.processes = o->group == VIEW_FUNCTION,
		.width = t->width,
		.color = t->out_color,
		.full_names = o->full_names,
		.readers = readers,
	};
}

static int print_report(const struct profile *p, const struct options *o, int type,
			struct terminal *t, struct error *err)
{
	const struct sink to = viewing_stdout();
	struct report_options how;
	struct readers_unanswered unanswered;
	struct readers *readers;
	int code = readers_new(&readers);

	if (code)
		return code;
	how = report_of(o, t, type, readers);
	code = report_write(p, &how, &to, err);
	readers_unanswered(readers, &unanswered);
	summary_unanswered(t, &unanswered);
	readers_free(readers);
	return code;
}

static int run(const struct verb_spec *verb, int argc, char **argv)
{
	struct error err = {0};
	struct terminal t;
	struct options o;
	struct profile *p;
	int status, code;

	if (!command_line_read(verb, argc, argv, &o, &t, &status))
		return status;
	p = viewing_load(&o, 0, &t);
	if (!p)
		return CPROF_EXIT_FAILED;
	code = out_pick_type(p, o.sample_type, &err);
	if (code >= 0)
		code = print_report(p, &o, code, &t, &err);
	profile_free(p);
	return code < 0 ? viewing_failed(&t, code, &err) : CPROF_EXIT_OK;
}

const struct verb_spec verb_report = {
	.name = "report",
	.group = VERBS_READING,
	.bit = VERB_REPORT,
	.summary = "the contents of a profile: top functions, callers, sources, stacks",
	.synopsis = "FILE [--tree | --peek FUNC | --callers FUNC | --callees FUNC | --list FUNC | "
		    "--traces | --tags] [OPTIONS]",
	.examples = "  cprof report p.pb.gz                    the top functions\n"
		    "  cprof report p.pb.gz --cum --focus ssl  by cum, of stacks through ssl\n"
		    "  cprof report p.pb.gz --callers malloc   who calls malloc\n"
		    "  cprof report p.pb.gz --list parse_line  its source, line by line\n"
		    "  cprof report p.pb.gz -g module          which libraries\n"
		    "  cprof report all.pb.gz -g container     which containers (cpu -a)\n",
	.run = run,
};
