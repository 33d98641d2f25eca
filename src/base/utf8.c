/* SPDX-License-Identifier: Apache-2.0 */
/* Checks for well-formed UTF-8, which protobuf strings must be and symbol names need not be: see
 * utf8.h. */
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

static const char replacement[] = "\xef\xbf\xbd";

static bool continues(u8 byte)
{
	return (byte & 0xc0) == 0x80;
}

/* The range of the second byte depends on the first one (RFC 3629, section 4). */
static bool second_fits(u8 first, u8 second)
{
	switch (first) {
	case 0xe0:
		return second >= 0xa0 && second <= 0xbf;
	case 0xed:
		return second >= 0x80 && second <= 0x9f;
	case 0xf0:
		return second >= 0x90 && second <= 0xbf;
	case 0xf4:
		return second >= 0x80 && second <= 0x8f;
	default:
		return continues(second);
	}
}

size_t utf8_char(const char *s)
{
	const u8 *b = (const u8 *)s;
	size_t len;

	if (b[0] < 0x80)
		return 1;
	if (b[0] < 0xc2 || b[0] > 0xf4)
		return 0;
	len = b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;
	if (!second_fits(b[0], b[1]))
		return 0;
	for (size_t i = 2; i < len; i++) {
		if (!continues(b[i]))
			return 0;
	}
	return len;
}

size_t utf8_whole(const char *s, size_t len)
{
	size_t start = len;

	/* This steps back to the first byte of the last character. */
	while (start && len - start < 3 && continues((u8)s[start - 1]))
		start--;
	if (!start || (u8)s[start - 1] < 0xc2)
		return len;
	start--;
	return start + utf8_char(s + start) > len ? start : len;
}

bool utf8_valid(const char *s)
{
	while (*s) {
		size_t len = utf8_char(s);

		if (!len)
			return false;
		s += len;
	}
	return true;
}

char *utf8_cleaned(const char *s)
{
	size_t size = strlen(s) * (sizeof(replacement) - 1) + 1;
	char *clean = malloc(size), *to = clean;

	if (!clean)
		return NULL;
	while (*s) {
		size_t len = utf8_char(s);

		if (len) {
			memcpy(to, s, len);
			to += len;
			s += len;
		} else {
			memcpy(to, replacement, sizeof(replacement) - 1);
			to += sizeof(replacement) - 1;
			s++;
		}
	}
	*to = '\0';
	return clean;
}

size_t utf8_length(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += !continues((u8)*s);
	return n;
}
