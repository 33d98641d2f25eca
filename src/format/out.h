/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A buffer in front of a sink. The first failure is kept and everything after it is dropped, so a
 * writer checks only once, at out_flush.
 *
 * It also separates our own text from text that came from outside. Our own are literals, numbers
 * and the formats of out_printf. All other text, including anything in a profile, goes through
 * out_text or a %s and is escaped for the kind of file: first as escape.h says, for people who read
 * it on a screen, and then for the surrounding syntax.
 */
#ifndef CPROF_FORMAT_OUT_H
#define CPROF_FORMAT_OUT_H

#include "format/format.h"
#include "view/view.h"

enum out_kind {
	OUT_TEXT, /* for people to read */
	OUT_XML, /* character data and quoted attribute values */
	OUT_JSON, /* inside of a string; also safe within <script> */
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

/* Writes a string literal, or bytes that are not text, as they are. */
#define out_literal(o, text) out_bytes((o), "" text "", sizeof(text) - 1)
void out_bytes(struct out *o, const void *data, size_t len);

void out_text(struct out *o, const char *text);
void out_printf(struct out *o, const char *fmt, ...)
	PRINTF_LIKE(2, 3); /* formats as text_format.h describes */

/* Switches a terminal to this colour; OUT_NO_COLOR writes nothing. */
void out_color(struct out *o, enum out_color color);

int out_flush(struct out *o) MUST_CHECK; /* returns 0 or the first error */

/*
 * Picks the sample type called `name` (NULL for the default). If there is no such type, the error
 * lists those that exist.
 */
int out_pick_type(const struct profile *p, const char *name, struct error *err) MUST_CHECK;

/* Views the chosen sample type of the profile, for writers. `opt` may be NULL. */
int out_view(const struct profile *p, const struct format_options *opt, enum view_group group,
	     struct view **out, struct error *err) MUST_CHECK;

#endif
