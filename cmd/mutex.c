/* SPDX-License-Identifier: Apache-2.0 */
/* cprof mutex: time lost waiting on locks, by the call stack that let go of them. */
#include "record.h"
#include "verbs.h"

static int run(int argc, char **argv)
{
	return record_main(&kind_mutex, VERB_MUTEX, argc, argv);
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
