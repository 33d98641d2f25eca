/* SPDX-License-Identifier: Apache-2.0 */
/* cprof allocs: who allocates most, freed or not, by call stack. */
#include "record.h"
#include "verbs.h"

static const struct record_verb allocs_kind = {
	.name = "allocs",
	.verb = VERB_ALLOCS,
	.collector_new = heap_collector_new,
	.why_empty = "nothing was allocated",
	.preloads = true,
};

static int run(int argc, char **argv)
{
	return record_main(&allocs_kind, argc, argv);
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
