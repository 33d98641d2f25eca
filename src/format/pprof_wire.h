/* SPDX-License-Identifier: Apache-2.0 */
/* The wire format of protocol buffers (https://protobuf.dev/programming-guides/encoding). */
#ifndef CPROF_FORMAT_PPROF_WIRE_H
#define CPROF_FORMAT_PPROF_WIRE_H

#include "base/bytes.h"

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct field {
	u32 number;
	enum wire wire;
	u64 value; /* of a number */
	struct bytes bytes; /* of WIRE_BYTES */
};

static inline u64 varint(struct cursor *c)
{
	u64 value = 0;

	if (c->pos < c->end && *c->pos < 0x80)
		return *c->pos++;
	for (u32 shift = 0; shift < 70 && c->pos < c->end; shift += 7) {
		u8 byte = *c->pos++;

		if (shift < 64)
			value |= (u64)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return value;
	}
	c->bad = true;
	c->pos = c->end;
	return 0;
}

/* Reads the next field; false at the end, or (c->bad) if it is malformed. */
static inline bool next_field(struct cursor *c, struct field *f)
{
	u64 key, len;

	if (c->bad || c->pos == c->end)
		return false;
	*f = (struct field){0};
	key = varint(c);
	f->number = (u32)(key >> 3);
	f->wire = (enum wire)(key & 7);
	if (!f->number || key >> 32)
		c->bad = true;
	switch (f->wire) {
	case WIRE_VARINT:
		f->value = varint(c);
		break;
	case WIRE_FIXED64:
		f->value = cursor_u64(c);
		break;
	case WIRE_FIXED32:
		f->value = cursor_u32(c);
		break;
	case WIRE_BYTES:
		len = varint(c);
		f->bytes.data = cursor_take(c, len);
		f->bytes.len = (size_t)len;
		break;
	default: /* Groups have been deprecated since 2008. */
		c->bad = true;
	}
	return !c->bad;
}

static inline bool is_number(const struct field *f)
{
	return f->wire == WIRE_VARINT;
}

static inline bool is_message(const struct field *f)
{
	return f->wire == WIRE_BYTES;
}

#endif
