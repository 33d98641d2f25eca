/* SPDX-License-Identifier: Apache-2.0 */
/* A printf that treats the value of every %s as foreign: see text_format.h. */
#include "base/text_format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/utf8.h"

#define NUMBER_SIZE 512 /* %f of DBL_MAX has 309 digits before the point */
#define SPACES "                                "

/* A va_list that functions can take values from one after another. */
struct values {
	va_list ap;
};

struct directive {
	char flags[8];
	int width, precision; /* -1 if not given */
	char length[3];
	char conversion;
};

/* ---- reading a directive --------------------------------------------------------------------- */

static size_t copy_span(char *out, size_t size, const char *from, const char *accept)
{
	size_t len = strspn(from, accept);

	if (len >= size)
		len = size - 1;
	memcpy(out, from, len);
	out[len] = '\0';
	return len;
}

static const char *read_number(const char *at, struct values *v, int *number)
{
	char *end;

	if (*at == '*') {
		*number = va_arg(v->ap, int);
		return at + 1;
	}
	*number = (int)strtol(at, &end, 10);
	return end;
}

/* `at` is just after the '%'; returns what follows the directive. */
static const char *read_directive(const char *at, struct values *v, struct directive *d)
{
	*d = (struct directive){.width = -1, .precision = -1};
	at += copy_span(d->flags, sizeof(d->flags), at, "-+ #0'");
	if (*at == '*' || (*at >= '1' && *at <= '9'))
		at = read_number(at, v, &d->width);
	if (*at == '.')
		at = read_number(at + 1, v, &d->precision);
	at += copy_span(d->length, sizeof(d->length), at, "hlzjt");
	d->conversion = *at;
	return *at ? at + 1 : at;
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* Writes the directive again, with its width and precision in digits. */
static void write_directive(const struct directive *d, char *out, size_t size)
{
	char width[16] = "", precision[16] = "";

	if (d->width >= 0)
		snprintf(width, sizeof(width), "%d", d->width);
	if (d->precision >= 0)
		snprintf(precision, sizeof(precision), ".%d", d->precision);
	snprintf(out, size, "%%%s%s%s%s%c", d->flags, width, precision, d->length, d->conversion);
}

static int print_integer(const struct directive *d, const char *spec, struct values *v, char *out)
{
	if (!strcmp(d->length, "l"))
		return snprintf(out, NUMBER_SIZE, spec, va_arg(v->ap, long));
	if (!strcmp(d->length, "ll") || !strcmp(d->length, "j"))
		return snprintf(out, NUMBER_SIZE, spec, va_arg(v->ap, long long));
	if (!strcmp(d->length, "z") || !strcmp(d->length, "t"))
		return snprintf(out, NUMBER_SIZE, spec, va_arg(v->ap, size_t));
	return snprintf(out, NUMBER_SIZE, spec, va_arg(v->ap, int));
}

/* An unknown conversion is a mistake of the caller, which the compiler warns about. */
static int print_number(const struct directive *d, struct values *v, char *out)
{
	char spec[64];

	write_directive(d, spec, sizeof(spec));
	if (strchr("diuxXoc", d->conversion))
		return print_integer(d, spec, v, out);
	if (strchr("feg", d->conversion))
		return snprintf(out, NUMBER_SIZE, spec, va_arg(v->ap, double));
	if (d->conversion == 'p')
		return snprintf(out, NUMBER_SIZE, spec, va_arg(v->ap, void *));
	return snprintf(out, NUMBER_SIZE, "%s", d->conversion == '%' ? "%" : "?");
}

static void emit_number(const struct text_sink *to, const struct directive *d, struct values *v)
{
	char text[NUMBER_SIZE];
	int len = print_number(d, v, text);

	if (len < 0)
		return;
	if (len >= NUMBER_SIZE)
		len = NUMBER_SIZE - 1;
	if (d->conversion == 'c')
		to->foreign(to->arg, text, (size_t)len);
	else
		to->own(to->arg, text, (size_t)len);
}

/* ---- strings --------------------------------------------------------------------------------- */

static void count_columns(void *arg, const char *piece, size_t len)
{
	size_t *columns = arg;

	for (size_t i = 0; i < len; i++)
		*columns += ((u8)piece[i] & 0xc0) != 0x80;
}

static void emit_padding(const struct text_sink *to, size_t n)
{
	while (n) {
		size_t part = n < sizeof(SPACES) - 1 ? n : sizeof(SPACES) - 1;

		to->own(to->arg, SPACES, part);
		n -= part;
	}
}

/* Returns how much of the text the precision allows, without cutting a character in two. */
static size_t allowed_length(const char *text, int precision)
{
	size_t len = precision < 0 ? strlen(text) : strnlen(text, (size_t)precision);

	return precision < 0 || !text[len] ? len : utf8_whole(text, len);
}

static void emit_string(const struct text_sink *to, const struct directive *d, const char *text)
{
	bool left = strchr(d->flags, '-');
	size_t len, columns = 0, padding = 0;

	if (!text)
		text = "(null)";
	len = allowed_length(text, d->precision);
	if (d->width > 0) {
		escape_visit(text, len, count_columns, &columns);
		padding = (size_t)d->width > columns ? (size_t)d->width - columns : 0;
	}
	if (!left)
		emit_padding(to, padding);
	to->foreign(to->arg, text, len);
	if (left)
		emit_padding(to, padding);
}

/* ---- the whole format ------------------------------------------------------------------------ */

void text_vformat(const struct text_sink *to, const char *fmt, va_list ap)
{
	struct values v;

	va_copy(v.ap, ap);
	while (*fmt) {
		size_t own = strcspn(fmt, "%");
		struct directive d;

		if (own)
			to->own(to->arg, fmt, own);
		fmt += own;
		if (!*fmt)
			break;
		fmt = read_directive(fmt + 1, &v, &d);
		if (d.width < -1) { /* from a negative '*' */
			d.width = d.width == INT32_MIN ? 0 : -d.width;
			d.flags[0] = '-';
			d.flags[1] = '\0';
		}
		if (d.conversion == 's')
			emit_string(to, &d, va_arg(v.ap, const char *));
		else
			emit_number(to, &d, &v);
	}
	va_end(v.ap);
}

struct buffer {
	char *out;
	size_t size, len;
	bool full;
};

static void put_own(void *arg, const char *text, size_t len)
{
	struct buffer *b = arg;
	size_t space = b->size - 1 - b->len, part = len < space ? len : space;

	if (b->full)
		return;
	if (part < len) {
		part = utf8_whole(text, part);
		b->full = true;
	}
	memcpy(b->out + b->len, text, part);
	b->len += part;
}

static void put_foreign(void *arg, const char *text, size_t len)
{
	escape_visit(text, len, put_own, arg);
}

size_t text_vprint(char *out, size_t size, const char *fmt, va_list ap)
{
	struct buffer b = {.out = out, .size = size};
	const struct text_sink to = {.own = put_own, .foreign = put_foreign, .arg = &b};

	if (!size)
		return 0;
	text_vformat(&to, fmt, ap);
	out[b.len] = '\0';
	return b.len;
}

size_t text_print(char *out, size_t size, const char *fmt, ...)
{
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	len = text_vprint(out, size, fmt, ap);
	va_end(ap);
	return len;
}
