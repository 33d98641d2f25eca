/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text from outside (names in a target, in files, in profiles of strangers) made fit to be shown. What a
 * terminal, a browser or an editor would act on instead of showing it becomes a visible escape:
 *   controls (C0, DEL, C1)         \n \t \r \x1b \u009b
 *   bytes that are not UTF-8       \xff
 *   direction marks and overrides  \u202e; also isolates, zero-width and invisible characters, line
 *                                  separators, noncharacters, tags
 * An escape is plain ASCII, so what was escaped once stays as it is. A backslash of the text is left alone.
 */
#ifndef CPROF_BASE_ESCAPE_H
#define CPROF_BASE_ESCAPE_H

#include "base/types.h"

#define ESCAPED_MAX 4 /* an escape has at most so many bytes for one of the text */

/* Hands over `text` in pieces that can be shown as they are. */
void escape_visit(const char *text, size_t len,
		  void (*put)(void *arg, const char *piece, size_t len), void *arg);

/*
 * Writes the whole of `text`, or what fits of it in whole characters and escapes, with a NUL. Returns the
 * length.
 */
size_t escape_text(const char *text, char *out, size_t size);

#endif
