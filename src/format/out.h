/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A buffer before a sink. The first failure is kept and everything after it is dropped, so a writer
 * checks once, at out_flush.
 */
#ifndef CPROF_FORMAT_OUT_H
#define CPROF_FORMAT_OUT_H

#include "format/format.h"

struct out {
	const struct sink *to;
	int error; /* negative errno of the first write that failed */
	size_t len;
	char buf[32768];
};

void out_init(struct out *o, const struct sink *to);
void out_bytes(struct out *o, const void *data, size_t len);
void out_text(struct out *o, const char *text);
void out_printf(struct out *o, const char *fmt, ...) PRINTF_LIKE(2, 3); /* at most 4 KiB a call */
int out_flush(struct out *o) MUST_CHECK; /* 0 or the first error */

/*
 * Picks the sample type that `name` asks for (NULL: the default). Says which there are when there is
 * no such type.
 */
int out_pick_type(const struct profile *p, const char *name, struct error *err) MUST_CHECK;

#endif
