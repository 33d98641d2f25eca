/* SPDX-License-Identifier: Apache-2.0 */
/* Reads numbers and words from lines of text: see text_scan.h. */
#include "format/text_scan.h"

static bool is_blank(u8 c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

bool scan_line(struct cursor *text, struct cursor *line)
{
	size_t left = cursor_left(text);
	const u8 *newline = left ? memchr(text->pos, '\n', left) : NULL;
	const u8 *end = newline ? newline : text->end;

	if (!left)
		return false;
	*line = (struct cursor){.pos = text->pos, .end = end};
	if (line->end > line->pos && line->end[-1] == '\r')
		line->end--;
	text->pos = newline ? newline + 1 : end;
	return true;
}

void scan_blanks(struct cursor *c)
{
	while (c->pos < c->end && is_blank(*c->pos))
		c->pos++;
}

bool scan_end(struct cursor *c)
{
	scan_blanks(c);
	return c->pos == c->end;
}

bool line_begins(const struct cursor *line, const char *text)
{
	size_t len = strlen(text);

	return cursor_left(line) >= len && !memcmp(line->pos, text, len);
}

bool line_has(const struct cursor *line, const char *text)
{
	return memmem(line->pos, cursor_left(line), text, strlen(text)) != NULL;
}

bool scan_literal(struct cursor *c, const char *text)
{
	struct cursor at = *c;

	scan_blanks(&at);
	if (!line_begins(&at, text))
		return false;
	c->pos = at.pos + strlen(text);
	return true;
}

bool scan_number(struct cursor *c, s64 *value)
{
	struct cursor at = *c;
	bool minus, fits = true;
	const u8 *first;
	s64 sum = 0;

	scan_blanks(&at);
	minus = at.pos < at.end && *at.pos == '-';
	at.pos += minus;
	for (first = at.pos; at.pos < at.end && *at.pos >= '0' && *at.pos <= '9'; at.pos++)
		fits = fits && !__builtin_mul_overflow(sum, (s64)10, &sum) &&
		       !__builtin_add_overflow(sum, (s64)(*at.pos - '0'), &sum);
	if (at.pos == first || !fits)
		return false;
	*value = minus ? -sum : sum;
	*c = at;
	return true;
}

static int hex_digit(u8 c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool scan_hex(struct cursor *c, u64 *value)
{
	struct cursor at = *c;
	const u8 *first;
	u64 sum = 0;

	scan_blanks(&at);
	if (line_begins(&at, "0x") || line_begins(&at, "0X"))
		at.pos += 2;
	for (first = at.pos; at.pos < at.end && hex_digit(*at.pos) >= 0; at.pos++) {
		if (sum >> 60)
			return false;
		sum = sum << 4 | (u64)hex_digit(*at.pos);
	}
	if (at.pos == first)
		return false;
	*value = sum;
	*c = at;
	return true;
}

bool scan_attribute(struct cursor *c, const char *name, char separator, s64 *value)
{
	const char between[] = {separator, '\0'};
	struct cursor at = *c;

	if (!scan_literal(&at, name) || !scan_literal(&at, between) || !scan_number(&at, value))
		return false;
	*c = at;
	return true;
}

void scan_rest(struct cursor *c, char *out, size_t size)
{
	const u8 *end = c->end;
	size_t len;

	scan_blanks(c);
	while (end > c->pos && is_blank(end[-1]))
		end--;
	len = (size_t)(end - c->pos);
	if (len >= size)
		len = size - 1;
	memcpy(out, c->pos, len);
	out[len] = '\0';
	c->pos = c->end;
}
