/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table over the items of a vector. It consists of the heads of chains, which run through
 * the items' own `next`, and costs 4 to 8 bytes an item. An item is known by its number plus one,
 * and 0 ends a chain.
 */
#ifndef CPROF_COLLECT_CHAINS_H
#define CPROF_COLLECT_CHAINS_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/types.h"

#define CHAINS_MIN 64u

struct chains {
	u32 *heads;
	size_t count; /* a power of two, or 0 */
};

static inline void chains_release(struct chains *c)
{
	free(c->heads);
	*c = (struct chains){0};
}

static inline void chains_clear(struct chains *c)
{
	if (c->heads)
		memset(c->heads, 0, c->count * sizeof(*c->heads));
}

/*
 * Makes enough heads for `items`. Returns 1 if the heads are new and empty, so the caller must link
 * all items again; 0 if nothing has changed; -ENOMEM, also with nothing changed.
 */
static inline int chains_reserve(struct chains *c, size_t items)
{
	size_t count = c->count ? c->count : CHAINS_MIN;
	u32 *fresh;

	if (items <= c->count)
		return 0;
	while (count < items)
		count *= 2;
	fresh = calloc(count, sizeof(*fresh));
	if (!fresh)
		return -ENOMEM;
	free(c->heads);
	*c = (struct chains){fresh, count};
	return 1;
}

/* Call it after items were removed: it empties the chains, frees heads beyond `items`, and never
 * fails. */
static inline void chains_shrink(struct chains *c, size_t items)
{
	size_t count = c->count;
	u32 *less;

	while (count > CHAINS_MIN && count / 2 >= items)
		count /= 2;
	less = count < c->count ? realloc(c->heads, count * sizeof(*less)) : NULL;
	if (less)
		*c = (struct chains){less, count};
	chains_clear(c);
}

/* There must be heads. */
static inline u32 *chains_head(const struct chains *c, u64 hash)
{
	return &c->heads[hash & (c->count - 1)];
}

static inline u32 chains_first(const struct chains *c, u64 hash)
{
	return c->count ? *chains_head(c, hash) : 0;
}

#endif
