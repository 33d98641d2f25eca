/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A printf(3) that separates our own words from those of others. The format is ours, but the value
 * of a %s may come from anywhere. Everything that people are shown goes through it, so no call has
 * to remember to clean a name, and none can forget to.
 *
 * It knows %d %i %u %x %X %o %c %s %p %f %e %g and %%, with flags, width, precision, '*' and the
 * lengths hh h l ll z j t. The width of a %s counts characters as they are shown.
 */
#ifndef CPROF_BASE_TEXT_FORMAT_H
#define CPROF_BASE_TEXT_FORMAT_H

#include <stdarg.h>

#include "base/types.h"

struct text_sink {
	void (*own)(void *arg, const char *text, size_t len); /* text that is shown as it is */
	/* the value of a %s, which must be escaped */
	void (*foreign)(void *arg, const char *text, size_t len);
	void *arg;
};

void text_vformat(const struct text_sink *to, const char *fmt, va_list ap);

/* Formats as vsnprintf(3) does, with every %s escaped as escape.h says. Returns the length of the
 * text in `out`. */
size_t text_vprint(char *out, size_t size, const char *fmt, va_list ap);
size_t text_print(char *out, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
