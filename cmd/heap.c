/* SPDX-License-Identifier: Apache-2.0 */
/* cprof heap: who holds the memory that was allocated since and not freed, by call stack. */
#include "record.h"

const struct verb_spec verb_heap = {
	.name = "heap",
	.kind = &kind_heap,
	.examples = "  cprof heap -p 4711 -d 30s             what grew in half a minute\n"
		    "  cprof heap -p 4711 --rate 1           every block, at a price\n"
		    "  cprof heap -- ./server                a command, for next to nothing\n",
	.run = record_main,
};
