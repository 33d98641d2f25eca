/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes text from outside (names in a target, in files, in profiles of strangers) fit to be shown.
 * Whatever a terminal, a browser or an editor would act on instead of showing it becomes a visible
 * escape:
 *   controls (C0, DEL, C1)         \n \t \r \x1b \u009b
 *   bytes that are not UTF-8       \xff
 *   direction marks and overrides  \u202e; also isolates, zero-width and invisible characters, line
 *                                  separators, noncharacters, tags
 * An escape is plain ASCII, so escaping a second time changes nothing. A backslash of the text is
 * kept as it is.
 */
#ifndef CPROF_BASE_ESCAPE_H
#define CPROF_BASE_ESCAPE_H

#include "base/types.h"

#define ESCAPED_MAX 4 /* the most bytes that an escape has for one byte of the text */

/* Passes `text` to the callback in pieces that can be shown as they are. */
void escape_visit(const char *text, size_t len,
		  void (*put)(void *arg, const char *piece, size_t len), void *arg);

/*
 * Writes all of `text` with a NUL, or as many whole characters and escapes as fit. Returns the
 * length.
 */
size_t escape_text(const char *text, char *out, size_t size);

#endif
