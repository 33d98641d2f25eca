/* SPDX-License-Identifier: Apache-2.0 */
/* cprof wall: running, runnable and blocked time in one profile. */
#include "record.h"
#include "verbs.h"

static int run(int argc, char **argv)
{
	return record_main(&kind_wall, VERB_WALL, argc, argv);
}

const struct verb_spec verb_wall = {
	.name = "wall",
	.group = VERBS_RECORDING,
	.bit = VERB_WALL,
	.summary = "running, runnable and blocked time, by call stack",
	.synopsis = VERB_ANY_TARGET,
	.examples = "  cprof wall -p 4711 -d 5s              where the time of its threads "
		    "goes\n",
	.run = run,
};
