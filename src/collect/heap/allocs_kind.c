/* SPDX-License-Identifier: Apache-2.0 */
/* The kind allocs: who allocates most, freed or not. */
#include "collect/kind.h"

const struct profile_kind kind_allocs = {
	.name = "allocs",
	.summary = "who allocates most, freed or not",
	.collector_new = heap_collector_new,
	.why_empty = "nothing was allocated",
	.preloads = true,
};
