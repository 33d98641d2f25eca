/* SPDX-License-Identifier: Apache-2.0 */
/* cprof wall: running, runnable and blocked time in one profile. */
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

static const struct record_verb wall_kind = {
	.name = "wall",
	.collector_new = wall_collector_new,
	.refine = refine,
	.samples = true,
};

int cmd_wall(int argc, char **argv)
{
	struct terminal t;
	struct options o;
	struct error err = {0};

	if (options_parse(&o, VERB_WALL, argc, argv, &err)) {
		terminal_init(&t, NULL);
		terminal_error(&t, "%s", err.text);
		return CPROF_EXIT_USAGE;
	}
	if (o.help) {
		help_verb(stdout, verb_by_name(argv[0]));
		return CPROF_EXIT_OK;
	}
	return record_run(&wall_kind, &o);
}
