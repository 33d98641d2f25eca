/* SPDX-License-Identifier: Apache-2.0 */
/* Implements cprof heap: memory that was allocated while recording and not freed, by call stack. */
#include "record.h"

const struct verb_spec verb_heap = {
	.name = "heap",
	.kind = &kind_heap,
	.examples = "  cprof heap -p 4711 -d 30s             what grew in half a minute\n"
		    "  cprof heap -p 4711 --rate 1           every block, with more overhead\n"
		    "  cprof heap -- ./server                a command, at almost no cost\n",
	.run = record_main,
};
