/* SPDX-License-Identifier: Apache-2.0 */
/* cprof allocs: who allocates most, freed or not, by call stack. */
#include "record.h"
#include "verbs.h"

static int run(int argc, char **argv)
{
	return record_main(&kind_allocs, VERB_ALLOCS, argc, argv);
}

const struct verb_spec verb_allocs = {
	.name = "allocs",
	.group = VERBS_RECORDING,
	.bit = VERB_ALLOCS,
	.summary = "who allocates most, freed or not",
	.synopsis = VERB_PROCESSES,
	.examples = "  cprof allocs -p 4711 -d 5s            five seconds of one process\n",
	.run = run,
};
