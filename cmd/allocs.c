/* SPDX-License-Identifier: Apache-2.0 */
/* cprof allocs: who allocates most, freed or not, by call stack. */
#include "commands.h"
#include "record.h"

static const struct record_verb allocs_kind = {
	.name = "allocs",
	.verb = VERB_ALLOCS,
	.collector_new = heap_collector_new,
	.why_empty = "nothing was allocated",
	.preloads = true,
};

int cmd_allocs(int argc, char **argv)
{
	return record_main(&allocs_kind, argc, argv);
}
