/* SPDX-License-Identifier: Apache-2.0 */
/* Takes lines of folded stacks apart: see folded_count.h. */
#include "format/folded_count.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_MAX_BYTES 64u
#define SUM_MAX 9e18L

static bool is_blank(u8 c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static size_t count_digits(const char *text)
{
	return strspn(text, "0123456789");
}

/* Reads an exponent like "e+06"; NULL if it is not one. */
static const char *read_exponent(const char *text, s64 *exponent)
{
	const char *digits = text + 1 + (text[1] == '-' || text[1] == '+');
	size_t n = count_digits(digits);

	*exponent = strtol(text + 1, NULL, 10);
	return n && n < 6 ? digits + n : NULL;
}

/* strtod(3) would also accept hexadecimal numbers, "inf" and "nan", which are names here. */
static bool read_number(const char *text, struct folded_count *c)
{
	const char *at = text + (*text == '-' || *text == '+');
	size_t whole = count_digits(at), places = 0, kept = 0;
	s64 exponent = 0;

	at += whole;
	if (*at == '.') {
		places = count_digits(at + 1);
		for (size_t i = 1; i <= places; i++)
			kept = at[i] != '0' ? i : kept;
		at += 1 + places;
	}
	if (!whole && !places)
		return false;
	if (*at == 'e' || *at == 'E')
		at = read_exponent(at, &exponent);
	if (!at || *at)
		return false;
	c->value = strtold(text, NULL);
	c->decimals = (s64)kept > exponent ? (u32)((s64)kept - exponent) : 0;
	c->exact = !c->decimals && fabsl(c->value) < SUM_MAX;
	c->integer = c->exact ? (s64)c->value : 0;
	return true;
}

/* Cuts a count and the blanks before it off the end of the line. */
static bool cut_count(struct bytes *line, struct folded_count *c)
{
	size_t start = line->len;
	char text[COUNT_MAX_BYTES];
	size_t len;

	while (start && !is_blank(line->data[start - 1]))
		start--;
	len = line->len - start;
	if (!start || !len || len >= sizeof(text))
		return false;
	memcpy(text, line->data + start, len);
	text[len] = '\0';
	if (strlen(text) != len || !read_number(text, c))
		return false;
	while (start && is_blank(line->data[start - 1]))
		start--;
	if (!start)
		return false;
	line->len = start;
	return true;
}

enum folded_line_kind folded_line_read(struct bytes text, bool two, struct folded_line *line)
{
	struct bytes *stack = &line->stack;

	*line = (struct folded_line){.stack = text};
	while (stack->len && is_blank(*stack->data)) {
		stack->data++;
		stack->len--;
	}
	while (stack->len && is_blank(stack->data[stack->len - 1]))
		stack->len--;
	if (!stack->len)
		return FOLDED_NOTHING;
	line->ncounts = cut_count(stack, &line->counts[0]);
	if (two && line->ncounts && cut_count(stack, &line->counts[1])) {
		struct folded_count last = line->counts[0];

		line->counts[0] = line->counts[1];
		line->counts[1] = last;
		line->ncounts = 2;
	}
	if (stack->data[0] == '#' &&
	    (!line->ncounts || (stack->len > 1 && is_blank(stack->data[1]))))
		return FOLDED_NOTHING;
	return line->ncounts ? FOLDED_STACK : FOLDED_NO_COUNT;
}

bool folded_ends_in_count(const char *text)
{
	struct bytes line = {(const u8 *)text, strlen(text)};
	struct folded_count c;

	return cut_count(&line, &c);
}

/* ---- one factor for all ---------------------------------------------------------------------- */

void folded_scale_add(struct folded_scale *s, const struct folded_count *c)
{
	s->decimals = c->decimals > s->decimals ? c->decimals : s->decimals;
	s->sum += fabsl(c->value);
}

s64 folded_scale_pick(const struct folded_scale *s)
{
	s64 factor = !s->decimals ? 1 : s->decimals <= 6 ? 1000000 : 1000000000;

	while (factor > 1 && !(s->sum * (long double)factor < SUM_MAX))
		factor /= 1000;
	return factor;
}

int folded_count_value(const struct folded_count *c, s64 factor, s64 *value)
{
	long double scaled = c->value * (long double)factor;

	if (c->exact && !__builtin_mul_overflow(c->integer, factor, value))
		return 0;
	if (!(fabsl(scaled) < SUM_MAX))
		return -ERANGE;
	*value = llroundl(scaled);
	return 0;
}
