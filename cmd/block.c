/* SPDX-License-Identifier: Apache-2.0 */
/* cprof block: time lost waiting on locks, by the waiter's call stack. */
#include "record.h"
#include "verbs.h"

static int run(int argc, char **argv)
{
	return record_main(&kind_block, VERB_BLOCK, argc, argv);
}

const struct verb_spec verb_block = {
	.name = "block",
	.group = VERBS_RECORDING,
	.bit = VERB_BLOCK,
	.summary = "time lost waiting on locks, by the call stack that waited",
	.synopsis = VERB_ANY_TARGET,
	.examples = "  cprof block -p 4711 -d 5s             which locks it waits for, and "
		    "where\n"
		    "  cprof block -n postgres --all --min 1ms   long waits only\n",
	.run = run,
};
