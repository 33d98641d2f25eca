/* SPDX-License-Identifier: Apache-2.0 */
/* cprof heap: who holds the memory that was allocated since and not freed, by call stack. */
#include "record.h"
#include "verbs.h"

static int run(int argc, char **argv)
{
	return record_main(&kind_heap, VERB_HEAP, argc, argv);
}

const struct verb_spec verb_heap = {
	.name = "heap",
	.group = VERBS_RECORDING,
	.bit = VERB_HEAP,
	.summary = "who holds the memory that was allocated since and not freed",
	.synopsis = VERB_PROCESSES,
	.examples = "  cprof heap -p 4711 -d 30s             what grew in half a minute\n"
		    "  cprof heap -p 4711 --rate 1           every block, at a price\n"
		    "  cprof heap -- ./server                a command, for next to nothing\n",
	.run = run,
};
