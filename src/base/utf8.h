/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 (RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF). */
#ifndef CPROF_BASE_UTF8_H
#define CPROF_BASE_UTF8_H

#include "base/types.h"

/* Bytes of the character at `s` (1 to 4), 0 when it is not well-formed. Stops at the NUL. */
size_t utf8_char(const char *s);

/* At most `len` bytes of `s`: less when the last character would be cut in two. */
size_t utf8_whole(const char *s, size_t len);

/* Whether the whole string is well-formed. */
bool utf8_valid(const char *s);

/* A copy with U+FFFD for every byte that belongs to no character; the caller frees it. NULL: no memory. */
char *utf8_cleaned(const char *s);

/* Characters of a well-formed string: its columns, were all characters one column wide. */
size_t utf8_length(const char *s);

#endif
