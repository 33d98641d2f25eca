/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps numbers in an open-addressed table: see u64_set.h. */
#include "unwind/u64_set.h"

#include <stdlib.h>

static size_t slot_of(const struct u64_set *s, u64 key)
{
	size_t at = (key >> 20) & s->mask;

	while (s->keys[at] && s->keys[at] != key)
		at = (at + 1) & s->mask;
	return at;
}

bool u64_set_has(const struct u64_set *s, u64 key)
{
	return s->keys && s->keys[slot_of(s, key)];
}

static bool grow(struct u64_set *s)
{
	struct u64_set more = {.len = s->len, .mask = s->keys ? 2 * s->mask + 1 : 255};

	more.keys = calloc(more.mask + 1, sizeof(*more.keys));
	if (!more.keys)
		return false;
	for (size_t i = 0; s->keys && i <= s->mask; i++)
		if (s->keys[i])
			more.keys[slot_of(&more, s->keys[i])] = s->keys[i];
	free(s->keys);
	*s = more;
	return true;
}

void u64_set_add(struct u64_set *s, u64 key)
{
	size_t at;

	if ((!s->keys || 2 * s->len > s->mask) && !grow(s))
		return;
	at = slot_of(s, key);
	s->len += !s->keys[at];
	s->keys[at] = key;
}

void u64_set_release(struct u64_set *s)
{
	free(s->keys);
	*s = (struct u64_set){0};
}
