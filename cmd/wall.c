/* SPDX-License-Identifier: Apache-2.0 */
/* cprof wall: running, runnable and blocked time in one profile. */
#include "view/wait_kind.h"
#include "commands.h"
#include "record.h"

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

int cmd_wall(int argc, char **argv)
{
	return record_main(&wall_kind, argc, argv);
}
