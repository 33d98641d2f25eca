/* SPDX-License-Identifier: Apache-2.0 */
/* The kind heap: who holds the memory that was allocated since and not freed. */
#include "collect/kind.h"

const struct profile_kind kind_heap = {
	.name = "heap",
	.summary = "who holds the memory that was allocated since and not freed",
	.collector_new = heap_collector_new,
	.why_empty = "nothing was allocated",
	.preloads = true,
	.live = true,
};
