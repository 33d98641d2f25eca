/* SPDX-License-Identifier: Apache-2.0 */
/* Implements cprof threads: what every thread does at this moment. */
#include "record.h"

const struct verb_spec verb_threads = {
	.name = "threads",
	.kind = &kind_threads,
	.examples = "  cprof threads -p 4711              groups of threads with equal stacks\n"
		    "  cprof threads -p 4711 -f dump      one thread after the other\n"
		    "  cprof threads -n postgres --all    all processes of that name\n",
	.run = record_main,
};
