/* SPDX-License-Identifier: Apache-2.0 */
/* cprof mutex: time lost waiting on locks, by the call stack that let go of them. */
#include "view/wait_kind.h"
#include "record.h"
#include "verbs.h"

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

static int run(int argc, char **argv)
{
	return record_main(&mutex_kind, argc, argv);
}

const struct verb_spec verb_mutex = {
	.name = "mutex",
	.group = VERBS_RECORDING,
	.bit = VERB_MUTEX,
	.summary = "time that others waited on locks, by the call stack that held the lock",
	.synopsis = VERB_ANY_TARGET,
	.examples = "  cprof mutex -p 4711 -d 5s             who keeps the others waiting\n",
	.run = run,
};
