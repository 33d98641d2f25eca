/* SPDX-License-Identifier: Apache-2.0 */
/* Implements cprof wall: running, runnable and blocked time in one profile. */
#include "record.h"

const struct verb_spec verb_wall = {
	.name = "wall",
	.kind = &kind_wall,
	.examples = "  cprof wall -p 4711 -d 5s              where the time of its threads "
		    "goes\n",
	.run = record_main,
};
