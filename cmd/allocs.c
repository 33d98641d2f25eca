/* SPDX-License-Identifier: Apache-2.0 */
/* Implements cprof allocs: which stacks allocate most, freed or not. */
#include "record.h"

const struct verb_spec verb_allocs = {
	.name = "allocs",
	.kind = &kind_allocs,
	.examples = "  cprof allocs -p 4711 -d 5s            five seconds of one process\n",
	.run = record_main,
};
