/* SPDX-License-Identifier: Apache-2.0 */
/* Implements --max-memory: what the stacks of a recording may use, besides everything else in
 * cprof. */
#ifndef CPROF_COLLECT_MEMORY_BOUND_H
#define CPROF_COLLECT_MEMORY_BOUND_H

#include "base/types.h"

#define MEMORY_BOUND_MIN (32ull << 20)
#define MEMORY_BOUND_DEFAULT (512ull << 20)

struct memory_bound {
	u64 max; /* in bytes; 0 for no bound */
	int statm; /* /proc/self/statm, or -1 */
};

void memory_bound_init(struct memory_bound *b, u64 max);
void memory_bound_release(struct memory_bound *b);

/*
 * Returns how many bytes there are for stacks, of which `held` are in use. That is what everything
 * else (tables, modules, looks at live blocks) leaves of the bound, but at least an eighth of it.
 * Mapped files are not counted, because the kernel can drop their pages. 0 means that there is no
 * bound.
 */
size_t memory_bound_space(const struct memory_bound *b, size_t held);

#endif
