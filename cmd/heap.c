/* SPDX-License-Identifier: Apache-2.0 */
/* cprof heap: who holds the memory that was allocated since and not freed, by call stack. */
#include "commands.h"
#include "record.h"

static const struct record_verb heap_kind = {
	.name = "heap",
	.verb = VERB_HEAP,
	.collector_new = heap_collector_new,
	.why_empty = "nothing was allocated",
	.preloads = true,
	.live = true,
};

int cmd_heap(int argc, char **argv)
{
	return record_main(&heap_kind, argc, argv);
}
