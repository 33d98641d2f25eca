/* SPDX-License-Identifier: Apache-2.0 */
/* cprof offcpu: all time not running, by call stack and cause. */
#include "view/wait_kind.h"
#include "commands.h"
#include "record.h"

static int refine(struct profile *p, const struct options *o)
{
	return wait_kinds_find(p);
}

static const struct record_verb offcpu_kind = {
	.name = "offcpu",
	.verb = VERB_OFFCPU,
	.collector_new = offcpu_collector_new,
	.refine = refine,
	.why_empty = "no thread of the target was off its CPU",
};

int cmd_offcpu(int argc, char **argv)
{
	return record_main(&offcpu_kind, argc, argv);
}
