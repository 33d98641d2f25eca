/* SPDX-License-Identifier: Apache-2.0 */
/* Reads within bounds: see bytes.h. */
#include "base/bytes.h"

#define LEB_MAX_BYTES 10

static u64 leb(struct cursor *c, unsigned int *shift, u8 *last)
{
	u64 value = 0;

	*shift = 0;
	for (int i = 0; i < LEB_MAX_BYTES; i++) {
		*last = cursor_u8(c);
		if (*shift < 64)
			value |= (u64)(*last & 0x7f) << *shift;
		*shift += 7;
		if (!(*last & 0x80))
			return value;
	}
	c->bad = true;
	return 0;
}

u64 cursor_uleb(struct cursor *c)
{
	unsigned int shift;
	u8 last;

	return leb(c, &shift, &last);
}

s64 cursor_sleb(struct cursor *c)
{
	unsigned int shift;
	u8 last;
	u64 value = leb(c, &shift, &last);

	if ((last & 0x40) && shift < 64)
		value |= ~0ull << shift;
	return (s64)value;
}

const char *cursor_string(struct cursor *c)
{
	const u8 *nul = c->bad ? NULL : memchr(c->pos, 0, cursor_left(c));

	if (!nul) {
		c->bad = true;
		return NULL;
	}
	return (const char *)cursor_take(c, (u64)(nul - c->pos) + 1);
}
