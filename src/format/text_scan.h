/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads numbers and words from lines of text, within bounds. Each function takes what it finds off
 * the cursor, after blanks, and leaves the cursor where it was if there is nothing of the kind.
 */
#ifndef CPROF_FORMAT_TEXT_SCAN_H
#define CPROF_FORMAT_TEXT_SCAN_H

#include "base/bytes.h"

/* Takes the next line without its end (also "\r\n"); false if there is none. */
bool scan_line(struct cursor *text, struct cursor *line);

void scan_blanks(struct cursor *c);
bool scan_end(struct cursor *c); /* nothing but blanks is left */
bool scan_literal(struct cursor *c, const char *text);
bool scan_number(struct cursor *c, s64 *value); /* decimal, perhaps negative; it must fit */
bool scan_hex(struct cursor *c, u64 *value); /* with or without "0x" */
/* "name: value" or "name = value"; `separator` is ':' or '=' */
bool scan_attribute(struct cursor *c, const char *name, char separator, s64 *value);

/* Returns whether the line contains or begins with the text. */
bool line_has(const struct cursor *line, const char *text);
bool line_begins(const struct cursor *line, const char *text);

/* Copies what is left of the line without blanks at its ends, cut to the size. */
void scan_rest(struct cursor *c, char *out, size_t size);

#endif
