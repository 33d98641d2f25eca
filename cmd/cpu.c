/* SPDX-License-Identifier: Apache-2.0 */
/* cprof cpu: where the CPU time of a running process goes, by call stack. */
#include <stdio.h>

#include "commands.h"
#include "exit_codes.h"
#include "help.h"
#include "options.h"
#include "record.h"
#include "terminal.h"

static const struct record_verb cpu_kind = {
	.name = "cpu",
	.collector_new = cpu_collector_new,
	.fallback_new = perf_collector_new,
	.samples = true,
};

int cmd_cpu(int argc, char **argv)
{
	struct terminal t;
	struct options o;
	struct error err = {0};

	if (options_parse(&o, VERB_CPU, argc, argv, &err)) {
		terminal_init(&t, NULL);
		terminal_error(&t, "%s", err.text);
		return CPROF_EXIT_USAGE;
	}
	if (o.help) {
		help_verb(stdout, verb_by_name(argv[0]));
		return CPROF_EXIT_OK;
	}
	return record_run(&cpu_kind, &o);
}
