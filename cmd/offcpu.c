/* SPDX-License-Identifier: Apache-2.0 */
/* cprof offcpu: all time not running, by call stack and cause. */
#include <stdio.h>

#include "collect/wait_kind.h"
#include "commands.h"
#include "exit_codes.h"
#include "help.h"
#include "options.h"
#include "record.h"
#include "terminal.h"

static int refine(struct profile *p, const struct options *o)
{
	return wait_kinds_find(p);
}

static const struct record_verb offcpu_kind = {
	.name = "offcpu",
	.collector_new = offcpu_collector_new,
	.refine = refine,
	.why_empty = "no thread of the target was off its CPU",
};

int cmd_offcpu(int argc, char **argv)
{
	struct terminal t;
	struct options o;
	struct error err = {0};

	if (options_parse(&o, VERB_OFFCPU, argc, argv, &err)) {
		terminal_init(&t, NULL);
		terminal_error(&t, "%s", err.text);
		return CPROF_EXIT_USAGE;
	}
	if (o.help) {
		help_verb(stdout, verb_by_name(argv[0]));
		return CPROF_EXIT_OK;
	}
	return record_run(&offcpu_kind, &o);
}
