/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of text that are kept until they are printed. */
#ifndef CPROF_BASE_LINES_H
#define CPROF_BASE_LINES_H

#include "base/types.h"
#include "base/vec.h"

struct lines {
	VEC(char *) text; /* each without a newline */
};

/* Appends a line, escaped like the text of an error. Without memory the line is left out. */
void lines_add(struct lines *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
void lines_release(struct lines *l);

#endif
