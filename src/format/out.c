/* SPDX-License-Identifier: Apache-2.0 */
/* A buffered sink that the text formats share: see out.h. */
#include "format/out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/text_format.h"

void out_init(struct out *o, const struct sink *to, enum out_kind kind)
{
	o->to = to;
	o->kind = kind;
	o->error = 0;
	o->len = 0;
}

int out_flush(struct out *o)
{
	if (!o->error && o->len)
		o->error = o->to->write(o->to->arg, o->buf, o->len);
	o->len = 0;
	return o->error;
}

void out_bytes(struct out *o, const void *data, size_t len)
{
	const char *at = data;

	while (len && !o->error) {
		size_t space = sizeof(o->buf) - o->len, part = len < space ? len : space;

		memcpy(o->buf + o->len, at, part);
		o->len += part;
		at += part;
		len -= part;
		if (o->len == sizeof(o->buf) && out_flush(o))
			return;
	}
}

/* ---- text from outside ----------------------------------------------------------------------- */

/* Returns the replacement of a character that has a meaning in the syntax of the file; NULL for
 * others. */
static const char *markup_of(enum out_kind kind, char c)
{
	switch (c) {
	case '<':
		return kind == OUT_XML ? "&lt;" : "\\u003c";
	case '>':
		return kind == OUT_XML ? "&gt;" : NULL;
	case '&':
		return kind == OUT_XML ? "&amp;" : NULL;
	case '"':
		return kind == OUT_XML ? "&quot;" : "\\\"";
	case '\'':
		return kind == OUT_XML ? "&#39;" : NULL;
	case '\\':
		return kind == OUT_XML ? NULL : "\\\\";
	}
	return NULL;
}

/* The text can be shown, so it contains no controls. */
static void put_shown(void *arg, const char *text, size_t len)
{
	struct out *o = arg;
	size_t from = 0;

	for (size_t i = 0; i < len && o->kind != OUT_TEXT; i++) {
		const char *markup = markup_of(o->kind, text[i]);

		if (!markup)
			continue;
		out_bytes(o, text + from, i - from);
		out_bytes(o, markup, strlen(markup));
		from = i + 1;
	}
	out_bytes(o, text + from, len - from);
}

static void put_foreign(void *arg, const char *text, size_t len)
{
	escape_visit(text, len, put_shown, arg);
}

static void put_own(void *arg, const char *text, size_t len)
{
	out_bytes(arg, text, len);
}

void out_text(struct out *o, const char *text)
{
	put_foreign(o, text, strlen(text));
}

void out_printf(struct out *o, const char *fmt, ...)
{
	const struct text_sink to = {.own = put_own, .foreign = put_foreign, .arg = o};
	va_list ap;

	va_start(ap, fmt);
	text_vformat(&to, fmt, ap);
	va_end(ap);
}

void out_color(struct out *o, enum out_color color)
{
	static const char *const codes[] = {
		[OUT_NO_COLOR] = "",     [OUT_PLAIN] = "\033[0m", [OUT_BOLD] = "\033[1m",
		[OUT_DIM] = "\033[2m",   [OUT_RED] = "\033[31m",  [OUT_GREEN] = "\033[32m",
		[OUT_CYAN] = "\033[36m",
	};

	out_bytes(o, codes[color], strlen(codes[color]));
}

/* ---- sample types ---------------------------------------------------------------------------- */

int out_pick_type(const struct profile *p, const char *name, struct error *err)
{
	int index = profile_find_sample_type(p, name);
	char have[256] = "none";
	size_t len = 0;

	if (index >= 0)
		return index;
	vec_for_each(&p->sample_types, vt) {
		if (len < sizeof(have))
			len += (size_t)snprintf(have + len, sizeof(have) - len, "%s%s",
						len ? ", " : "", profile_text(p, vt->type));
	}
	return error_set(err, -ENOENT, "the profile has no sample type \"%s\", only: %s",
			 name ? name : "", have);
}

int out_view(const struct profile *p, const struct format_options *opt, enum view_group group,
	     struct view **out, struct error *err)
{
	struct view_options o = {.group = group};

	o.type = out_pick_type(p, opt ? opt->sample_type : NULL, err);
	return o.type < 0 ? o.type : view_new(p, &o, out, err);
}
