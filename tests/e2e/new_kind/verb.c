/* SPDX-License-Identifier: Apache-2.0 */
/* cprof yields: who gives the CPU away, by call stack. */
#include "record.h"

const struct verb_spec verb_yields = {
	.name = "yields",
	.kind = &kind_yields,
	.examples = "  cprof yields -p 4711 -d 5s            five seconds of one process\n",
	.run = record_main,
};
