/* SPDX-License-Identifier: Apache-2.0 */
/* --max-memory: what the stacks of a recording may take, beside all else that cprof holds. */
#ifndef CPROF_COLLECT_MEMORY_BOUND_H
#define CPROF_COLLECT_MEMORY_BOUND_H

#include "base/types.h"

#define MEMORY_BOUND_MIN (32ull << 20)
#define MEMORY_BOUND_DEFAULT (512ull << 20)

struct memory_bound {
	u64 max; /* bytes; 0: no bound */
	int statm; /* /proc/self/statm, or -1 */
};

void memory_bound_init(struct memory_bound *b, u64 max);
void memory_bound_release(struct memory_bound *b);

/*
 * How many bytes there are for stacks, of which `held` are in use: what is left of the bound by everything else
 * (tables, modules, looks at live blocks), but an eighth of it at least. Mapped files are not counted, because the
 * kernel can drop their pages. 0: as many as there are.
 */
size_t memory_bound_room(const struct memory_bound *b, size_t held);

#endif
