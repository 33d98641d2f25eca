/* SPDX-License-Identifier: Apache-2.0 */
/*
 * printf(3) that tells our own words from those of others: the format is ours, what a %s stands for may come
 * from anywhere. Everything that is shown to people goes through it, so that no call has to remember to clean
 * a name, and none can forget it.
 *
 * Known are %d %i %u %x %X %o %c %s %p %f %e %g and %%, with flags, width, precision, '*' and the lengths
 * hh h l ll z j t. The width of a %s counts characters as they are shown.
 */
#ifndef CPROF_BASE_TEXT_FORMAT_H
#define CPROF_BASE_TEXT_FORMAT_H

#include <stdarg.h>

#include "base/types.h"

struct text_sink {
	void (*own)(void *arg, const char *text, size_t len); /* to be shown as it is */
	void (*foreign)(void *arg, const char *text, size_t len); /* of a %s: to be escaped */
	void *arg;
};

void text_vformat(const struct text_sink *to, const char *fmt, va_list ap);

/* As vsnprintf(3), with every %s escaped as escape.h says; returns the length of what is in `out`. */
size_t text_vprint(char *out, size_t size, const char *fmt, va_list ap);
size_t text_print(char *out, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
