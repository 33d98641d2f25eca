/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded view of memory that somebody else wrote, and a cursor over it that cannot run past the
 * end. The first read that would do so sets `bad`, and every later read gives 0, so a parser may
 * check once per record. Values are little-endian, as is everything that cprof reads.
 */
#ifndef CPROF_BASE_BYTES_H
#define CPROF_BASE_BYTES_H

#include <string.h>

#include "base/types.h"

struct bytes {
	const u8 *data; /* borrowed */
	size_t len;
};

struct cursor {
	const u8 *pos, *end;
	bool bad;
};

static inline struct cursor cursor_over(struct bytes b)
{
	/* NULL + 0 is undefined in C, so an empty string stands for NULL. */
	const u8 *at = b.data ? b.data : (const u8 *)"";

	return (struct cursor){.pos = at, .end = at + (b.data ? b.len : 0)};
}

static inline size_t cursor_left(const struct cursor *c)
{
	return (size_t)(c->end - c->pos);
}

/* Steps over `len` bytes and returns them, borrowed; NULL (and bad) if fewer are left. */
static inline const u8 *cursor_take(struct cursor *c, u64 len)
{
	const u8 *at = c->pos;

	if (c->bad || len > cursor_left(c)) {
		c->bad = true;
		return NULL;
	}
	c->pos += len;
	return at;
}

#define CURSOR_READ_(type)                                    \
	static inline type cursor_##type(struct cursor *c)    \
	{                                                     \
		type value = 0;                               \
		const u8 *at = cursor_take(c, sizeof(value)); \
                                                              \
		if (at)                                       \
			memcpy(&value, at, sizeof(value));    \
		return value;                                 \
	}
CURSOR_READ_(u8)
CURSOR_READ_(u16)
CURSOR_READ_(u32)
CURSOR_READ_(u64)
CURSOR_READ_(s8)
CURSOR_READ_(s16)
CURSOR_READ_(s32)
CURSOR_READ_(s64)
#undef CURSOR_READ_

/* Reads LEB128 (DWARF 5, section 7.6). Bits above 64 are dropped, and more than 10 bytes are
 * bad. */
u64 cursor_uleb(struct cursor *c);
s64 cursor_sleb(struct cursor *c);

/* Reads a NUL-terminated string, which is borrowed; NULL (and bad) if no NUL comes before the
 * end. */
const char *cursor_string(struct cursor *c);

#endif
