/* SPDX-License-Identifier: Apache-2.0 */
/* cprof mutex: time lost waiting on locks, by the call stack that let go of them. */
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
	int code = wait_kinds_find(p);

	if (!code && o->wait.condvars == OPTION_CONDVAR_DROP)
		wait_drop(p, "kind", "condvar");
	return code;
}

static const struct record_verb mutex_kind = {
	.name = "mutex",
	.collector_new = mutex_collector_new,
	.refine = refine,
	.hidden_key = "kind",
	.hidden_text = "condvar",
	.why_empty = "nobody waited for a lock that the target held",
};

int cmd_mutex(int argc, char **argv)
{
	struct terminal t;
	struct options o;
	struct error err = {0};

	if (options_parse(&o, VERB_MUTEX, argc, argv, &err)) {
		terminal_init(&t, NULL);
		terminal_error(&t, "%s", err.text);
		return CPROF_EXIT_USAGE;
	}
	if (o.help) {
		help_verb(stdout, verb_by_name(argv[0]));
		return CPROF_EXIT_OK;
	}
	return record_run(&mutex_kind, &o);
}
