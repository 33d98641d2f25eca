/* SPDX-License-Identifier: Apache-2.0 */
/* cprof wall: running, runnable and blocked time in one profile. */
#include "view/wait_kind.h"
#include "record.h"
#include "verbs.h"

static int refine(struct profile *p, const struct options *o)
{
	return wait_kinds_find(p);
}

static const struct record_verb wall_kind = {
	.name = "wall",
	.verb = VERB_WALL,
	.collector_new = wall_collector_new,
	.refine = refine,
	.samples = true,
};

static int run(int argc, char **argv)
{
	return record_main(&wall_kind, argc, argv);
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
