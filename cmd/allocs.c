/* SPDX-License-Identifier: Apache-2.0 */
/* cprof allocs: who allocates most, freed or not, by call stack. */
#include <stdio.h>

#include "commands.h"
#include "exit_codes.h"
#include "help.h"
#include "options.h"
#include "record.h"
#include "terminal.h"

static const struct record_verb allocs_kind = {
	.name = "allocs",
	.collector_new = heap_collector_new,
	.why_empty = "nothing was allocated",
	.preloads = true,
};

int cmd_allocs(int argc, char **argv)
{
	struct terminal t;
	struct options o;
	struct error err = {0};

	if (options_parse(&o, VERB_ALLOCS, argc, argv, &err)) {
		terminal_init(&t, NULL);
		terminal_error(&t, "%s", err.text);
		return CPROF_EXIT_USAGE;
	}
	if (o.help) {
		help_verb(stdout, verb_by_name(argv[0]));
		return CPROF_EXIT_OK;
	}
	return record_run(&allocs_kind, &o);
}
