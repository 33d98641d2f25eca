/* SPDX-License-Identifier: Apache-2.0 */
/* Escapes foreign text so that it can be shown: see escape.h. */
#include "base/escape.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define ESCAPE_SIZE 12 /* the length of "\U0010ffff" and a NUL */

struct range {
	u32 first, last;
};

/*
 * The ranges are in ascending order. They hold the Unicode 15 categories Cc, Cf, Zl and Zp, the
 * noncharacters, and the characters that take no space although they count as letters.
 */
static const struct range hidden[] = {
	{0x0000, 0x001f},   {0x007f, 0x009f},   {0x00ad, 0x00ad},   {0x034f, 0x034f},
	{0x061c, 0x061c},   {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},
	{0x200b, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x206f},   {0x3164, 0x3164},
	{0xfdd0, 0xfdef},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},   {0xfff0, 0xfffb},
	{0xfffe, 0xffff},   {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0x1fffe, 0x1ffff},
	{0xe0000, 0xe0fff},
};

static bool is_hidden(u32 character)
{
	for (size_t i = 0; i < ARRAY_LEN(hidden) && hidden[i].first <= character; i++) {
		if (character <= hidden[i].last)
			return true;
	}
	/* The last two code points of every plane are noncharacters. */
	return (character & 0xfffe) == 0xfffe;
}

static u32 decode(const u8 *s, size_t len)
{
	u32 character = len == 1 ? s[0] : s[0] & (0x7fu >> len);

	for (size_t i = 1; i < len; i++)
		character = character << 6 | (s[i] & 0x3f);
	return character;
}

static void name_character(u32 character, char out[ESCAPE_SIZE])
{
	const char *format = character < 0x80     ? "\\x%02x"
			     : character > 0xffff ? "\\U%08x"
						  : "\\u%04x";

	if (character == '\n' || character == '\t' || character == '\r')
		snprintf(out, ESCAPE_SIZE, "\\%c",
			 character == '\n'   ? 'n'
			 : character == '\t' ? 't'
					     : 'r');
	else
		snprintf(out, ESCAPE_SIZE, format, character);
}

/*
 * Steps over the character at `text`, or over a byte that does not belong to one. `out` receives
 * its escape, or "" if it can be shown.
 */
static size_t step(const char *text, size_t left, char out[ESCAPE_SIZE])
{
	u8 first = (u8)*text;
	size_t len;

	out[0] = '\0';
	if (first >= ' ' && first < 0x7f)
		return 1;
	len = utf8_char(text);
	if (!len || len > left) {
		snprintf(out, ESCAPE_SIZE, "\\x%02x", first);
		return 1;
	}
	if (is_hidden(decode((const u8 *)text, len)))
		name_character(decode((const u8 *)text, len), out);
	return len;
}

void escape_visit(const char *text, size_t len,
		  void (*put)(void *arg, const char *piece, size_t len), void *arg)
{
	size_t from = 0, at = 0;
	char escape[ESCAPE_SIZE];

	while (at < len) {
		size_t used = step(text + at, len - at, escape);

		if (escape[0]) {
			if (at > from)
				put(arg, text + from, at - from);
			put(arg, escape, strlen(escape));
			from = at + used;
		}
		at += used;
	}
	if (at > from)
		put(arg, text + from, at - from);
}

size_t escape_text(const char *text, char *out, size_t size)
{
	size_t left = strlen(text), used = 0;

	while (left) {
		char escape[ESCAPE_SIZE];
		size_t taken = step(text, left, escape);
		const char *piece = escape[0] ? escape : text;
		size_t len = escape[0] ? strlen(escape) : taken;

		if (used + len >= size)
			break;
		memcpy(out + used, piece, len);
		used += len;
		text += taken;
		left -= taken;
	}
	if (size)
		out[used] = '\0';
	return used;
}
