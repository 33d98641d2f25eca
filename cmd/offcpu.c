/* SPDX-License-Identifier: Apache-2.0 */
/* cprof offcpu: all time not running, by call stack and cause. */
#include "record.h"
#include "verbs.h"

static int run(int argc, char **argv)
{
	return record_main(&kind_offcpu, VERB_OFFCPU, argc, argv);
}

const struct verb_spec verb_offcpu = {
	.name = "offcpu",
	.group = VERBS_RECORDING,
	.bit = VERB_OFFCPU,
	.summary = "all time that threads do not run, by call stack and cause",
	.synopsis = VERB_ANY_TARGET,
	.examples = "  cprof offcpu -p 4711 -d 5s --state ^idle  all but idle waits\n"
		    "  cprof offcpu -p 4711 --state disk,fault   where it waits for the disk\n",
	.run = run,
};
