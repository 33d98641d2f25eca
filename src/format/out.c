/* SPDX-License-Identifier: Apache-2.0 */
/* What the text formats share: a buffered sink. See out.h. */
#include "format/out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void out_init(struct out *o, const struct sink *to)
{
	o->to = to;
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
		size_t room = sizeof(o->buf) - o->len, part = len < room ? len : room;

		memcpy(o->buf + o->len, at, part);
		o->len += part;
		at += part;
		len -= part;
		if (o->len == sizeof(o->buf) && out_flush(o))
			return;
	}
}

void out_text(struct out *o, const char *text)
{
	out_bytes(o, text, strlen(text));
}

void out_printf(struct out *o, const char *fmt, ...)
{
	char text[4096];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len > 0)
		out_bytes(o, text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1);
}

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
