/* SPDX-License-Identifier: Apache-2.0 */
/* Implements cprof heap: which stacks hold the memory that was allocated since and not freed. */
#include "record.h"

const struct verb_spec verb_heap = {
	.name = "heap",
	.kind = &kind_heap,
	.examples = "  cprof heap -p 4711 -d 30s             what grew in half a minute\n"
		    "  cprof heap -p 4711 --rate 1           every block, with more overhead\n"
		    "  cprof heap -- ./server                a command, for next to nothing\n",
	.run = record_main,
};
