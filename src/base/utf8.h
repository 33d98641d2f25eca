/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 as RFC 3629 defines it, without surrogates, overlong forms or anything above U+10FFFF. */
#ifndef CPROF_BASE_UTF8_H
#define CPROF_BASE_UTF8_H

#include "base/types.h"

/* Returns the bytes of the character at `s` (1 to 4), or 0 if it is not well-formed. It stops at
 * the NUL. */
size_t utf8_char(const char *s);

/* Returns `len`, or less if the last character of these bytes of `s` would be cut in two. */
size_t utf8_whole(const char *s, size_t len);

/* Returns whether the whole string is well-formed. */
bool utf8_valid(const char *s);

/* Returns a copy with U+FFFD for every byte that does not belong to a character, or NULL without
 * memory. The caller frees it. */
char *utf8_cleaned(const char *s);

/* Returns the number of characters in a well-formed string, which is its width if every character
 * is one column wide. */
size_t utf8_length(const char *s);

#endif
