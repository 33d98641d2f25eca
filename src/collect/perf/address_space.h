/* SPDX-License-Identifier: Apache-2.0 */
/* What one process has mapped executable, as far as the kernel has reported it: sorted, without
 * overlaps. */
#ifndef CPROF_COLLECT_ADDRESS_SPACE_H
#define CPROF_COLLECT_ADDRESS_SPACE_H

#include "base/types.h"
#include "base/vec.h"

struct space_map {
	u64 start, end;
	u64 shift; /* offset in the module = address + shift */
	u32 module;
};

struct address_space { /* empty if zeroed */
	VEC(struct space_map) maps;
};

void address_space_release(struct address_space *s);
/* Adds a mapping, which replaces any parts of older ones at its addresses. Returns 0 or -ENOMEM. */
int address_space_add(struct address_space *s, const struct space_map *map) MUST_CHECK;
const struct space_map *address_space_find(const struct address_space *s, u64 addr);
int address_space_copy(struct address_space *dst, const struct address_space *src) MUST_CHECK;

#endif
