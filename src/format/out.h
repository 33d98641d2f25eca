/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A buffer before a sink. The first failure is kept and everything after it is dropped, so a writer
 * checks once, at out_flush.
 *
 * It also keeps apart what is ours and what came from outside. Ours are literals, numbers and the formats of
 * out_printf. All other text, whatever a profile may hold, goes through out_text or a %s and is escaped for the
 * kind of file: first as escape.h says, for whoever reads it on a screen, then for the syntax around it.
 */
#ifndef CPROF_FORMAT_OUT_H
#define CPROF_FORMAT_OUT_H

#include "format/format.h"

enum out_kind {
	OUT_TEXT, /* for people */
	OUT_XML, /* character data and values of attributes in quotes */
	OUT_JSON, /* inside of a string; safe within <script>, too */
};

enum out_color { OUT_NO_COLOR, OUT_PLAIN, OUT_BOLD, OUT_DIM, OUT_RED, OUT_GREEN, OUT_CYAN };

struct out {
	const struct sink *to;
	enum out_kind kind;
	int error; /* negative errno of the first write that failed */
	size_t len;
	char buf[32768];
};

void out_init(struct out *o, const struct sink *to, enum out_kind kind);

/* What is written as it is: a string literal, and bytes that are nobody's text. */
#define out_literal(o, text) out_bytes((o), "" text "", sizeof(text) - 1)
void out_bytes(struct out *o, const void *data, size_t len);

void out_text(struct out *o, const char *text);
void out_printf(struct out *o, const char *fmt, ...)
	PRINTF_LIKE(2, 3); /* as text_format.h has it */

/* Switches a terminal to this color; OUT_NO_COLOR writes nothing. */
void out_color(struct out *o, enum out_color color);

int out_flush(struct out *o) MUST_CHECK; /* 0 or the first error */

/*
 * Picks the sample type that `name` asks for (NULL: the default). Says which there are when there is
 * no such type.
 */
int out_pick_type(const struct profile *p, const char *name, struct error *err) MUST_CHECK;

#endif
