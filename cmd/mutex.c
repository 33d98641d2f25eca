/* SPDX-License-Identifier: Apache-2.0 */
/* cprof mutex: time lost waiting on locks, by the call stack that let go of them. */
#include "view/wait_kind.h"
#include "commands.h"
#include "record.h"

static int refine(struct profile *p, const struct options *o)
{
	int code = wait_kinds_find(p);

	if (!code && o->wait.condvars == OPTION_CONDVAR_DROP)
		wait_drop(p, "kind", "condvar");
	return code;
}

static const struct record_verb mutex_kind = {
	.name = "mutex",
	.verb = VERB_MUTEX,
	.collector_new = mutex_collector_new,
	.refine = refine,
	.hidden_key = "kind",
	.hidden_text = "condvar",
	.why_empty = "nobody waited for a lock that the target held",
};

int cmd_mutex(int argc, char **argv)
{
	return record_main(&mutex_kind, argc, argv);
}
