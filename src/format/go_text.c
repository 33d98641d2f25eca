/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the comments in Go's text profiles: see go_text.h. */
#include "format/go_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/text_scan.h"

#define NAME_BYTES 4096u

/* Splits "main.work+0x24<tabs>/src/main.go:17". */
static s64 split_place(char *name, const char **file)
{
	char *tab = strchr(name, '\t'), *colon, *plus;
	s64 line = 0;

	*file = "";
	if (tab) {
		*file = tab + strspn(tab, "\t ");
		*tab = '\0';
		colon = strrchr(*file, ':');
		if (colon) {
			line = strtoll(colon + 1, NULL, 10);
			*colon = '\0';
		}
	}
	plus = strrchr(name, '+');
	if (plus && !strncmp(plus, "+0x", 3))
		*plus = '\0';
	return line;
}

/* Takes a text in quotes off the line, as strconv.Quote writes it. */
static bool scan_quoted(struct cursor *line, char *out, size_t size)
{
	size_t len = 0;

	if (!scan_literal(line, "\""))
		return false;
	for (; line->pos < line->end && *line->pos != '"'; line->pos++) {
		if (*line->pos == '\\' && line->end - line->pos > 1 &&
		    (line->pos[1] == '"' || line->pos[1] == '\\'))
			line->pos++;
		if (len + 1 < size)
			out[len++] = (char)*line->pos;
	}
	out[len] = '\0';
	return scan_literal(line, "\"");
}

static int read_labels(struct address_samples *a, struct cursor line)
{
	char key[NAME_BYTES], text[NAME_BYTES];
	int ret = 0;

	if (!scan_literal(&line, "{"))
		return 0;
	while (!ret && scan_quoted(&line, key, sizeof(key)) && scan_literal(&line, ":") &&
	       scan_quoted(&line, text, sizeof(text))) {
		ret = address_samples_label(a, key, text);
		scan_literal(&line, ",");
	}
	return ret;
}

int go_names_line(struct go_names *n, struct address_samples *a, struct cursor line)
{
	char name[NAME_BYTES];
	const char *file;
	u64 address;
	s64 number;

	if (!scan_literal(&line, "#"))
		return 0;
	if (scan_literal(&line, "labels:"))
		return read_labels(a, line);
	if (!scan_literal(&line, "0x") || !scan_hex(&line, &address))
		return 0;
	if (!n->open)
		n->first = a->names.len;
	n->open = true;
	scan_rest(&line, name, sizeof(name));
	number = split_place(name, &file);
	return *name ? address_samples_name(a, address, name, file, number) : 0;
}

void go_names_end(struct go_names *n, struct address_samples *a)
{
	if (n->open)
		address_samples_end_names(a, n->first);
	n->open = false;
}
