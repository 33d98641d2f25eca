/* SPDX-License-Identifier: Apache-2.0 */
/* Escapes strings for JSON: see json.h. */
#include "format/json.h"

static bool plain(u8 c)
{
	/* '<' too: the text may end up within a page. */
	return c >= ' ' && c != '"' && c != '\\' && c != '<' && c != 0x7f;
}

void json_string(struct out *o, const char *text)
{
	const char *from = text;

	out_text(o, "\"");
	for (; *text; text++) {
		if (plain((u8)*text))
			continue;
		out_bytes(o, from, (size_t)(text - from));
		out_printf(o, "\\u%04x", (u8)*text);
		from = text + 1;
	}
	out_bytes(o, from, (size_t)(text - from));
	out_text(o, "\"");
}

void json_comma(struct out *o, bool *first)
{
	if (!*first)
		out_text(o, ",");
	*first = false;
}
