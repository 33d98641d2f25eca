/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacks sections within a budget: see unpack.h. */
#include "elf/unpack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

/*
 * zlib can reach 1032:1 and zstd more, on zeros. Debug sections reach some 20:1. With a higher
 * limit, a megabyte of file could cost a gigabyte of memory.
 */
#define RATIO_MAX 100ull
#define ALWAYS (1ull << 20)

struct packed {
	u32 type; /* UNPACK_* */
	u64 claimed; /* size that the header gives */
	struct bytes stream;
};

static int read_header(struct bytes raw, bool gnu, struct packed *p)
{
	struct cursor c = cursor_over(raw);

	if (gnu) { /* .zdebug_*: "ZLIB", then the size in big-endian */
		const u8 *magic = cursor_take(&c, 4);

		p->type = UNPACK_ZLIB;
		p->claimed = __builtin_bswap64(cursor_u64(&c));
		if (c.bad || memcmp(magic, "ZLIB", 4) != 0)
			return -EBADMSG;
	} else { /* Elf64_Chdr */
		p->type = cursor_u32(&c);
		cursor_u32(&c);
		p->claimed = cursor_u64(&c);
		cursor_u64(&c);
	}
	p->stream = (struct bytes){c.pos, cursor_left(&c)};
	if (c.bad || (p->type != UNPACK_ZLIB && p->type != UNPACK_ZSTD) ||
	    p->claimed > UNPACK_MAX ||
	    (p->claimed > ALWAYS && p->claimed / RATIO_MAX > p->stream.len))
		return -EBADMSG;
	return 0;
}

static bool unpack(const struct packed *p, u8 *out)
{
	uLongf len = p->claimed;

	if (p->type == UNPACK_ZSTD)
		return ZSTD_decompress(out, p->claimed, p->stream.data, p->stream.len) ==
		       p->claimed;
	return uncompress(out, &len, p->stream.data, p->stream.len) == Z_OK && len == p->claimed;
}

int unpack_section(struct budget *budget, struct bytes raw, bool gnu, u8 **data, size_t *len)
{
	struct packed p;
	int err = read_header(raw, gnu, &p);

	if (err)
		return err;
	if (!budget_look(budget, BUDGET_SECTIONS, p.claimed + 1) ||
	    !budget_reserve(budget, BUDGET_SECTIONS, p.claimed))
		return -E2BIG;
	*data = malloc(p.claimed ? p.claimed : 1);
	if (!*data)
		return -ENOMEM;
	if (!unpack(&p, *data)) {
		free(*data);
		return -EBADMSG;
	}
	*len = p.claimed;
	return 0;
}
