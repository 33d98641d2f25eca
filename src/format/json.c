/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the elements of JSON: see json.h. */
#include "format/json.h"

void json_string(struct out *o, const char *text)
{
	out_literal(o, "\"");
	out_text(o, text);
	out_literal(o, "\"");
}

void json_comma(struct out *o, bool *first)
{
	if (!*first)
		out_literal(o, ",");
	*first = false;
}
