/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps lines of text: see lines.h. */
#include "base/lines.h"

#include <stdarg.h>
#include <string.h>

#include "base/text_format.h"

void lines_add(struct lines *l, const char *fmt, ...)
{
	char line[1000], *copy;
	va_list ap;

	va_start(ap, fmt);
	text_vprint(line, sizeof(line), fmt, ap);
	va_end(ap);
	copy = strdup(line);
	if (copy && vec_push(&l->text, copy))
		free(copy);
}

void lines_release(struct lines *l)
{
	vec_for_each(&l->text, line)
		free(*line);
	vec_release(&l->text);
}
