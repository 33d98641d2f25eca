/* SPDX-License-Identifier: Apache-2.0 */
/* A set of numbers other than 0, which are already well distributed, such as hashes. */
#ifndef CPROF_UNWIND_U64_SET_H
#define CPROF_UNWIND_U64_SET_H

#include <stddef.h>

#include "base/types.h"

struct u64_set { /* all 0 if it is empty */
	u64 *keys; /* 0 if free */
	size_t len, mask;
};

bool u64_set_has(const struct u64_set *s, u64 key);
/* Without memory it stays as it is. */
void u64_set_add(struct u64_set *s, u64 key);
void u64_set_release(struct u64_set *s);

#endif
