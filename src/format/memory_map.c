/* SPDX-License-Identifier: Apache-2.0 */
/* Parses memory maps of text profiles: see memory_map.h. */
#include "format/memory_map.h"

#include <errno.h>
#include <stdlib.h>

#include "format/text_scan.h"

static bool is_word_end(const struct cursor *c)
{
	return c->pos == c->end || *c->pos == ' ' || *c->pos == '\t';
}

/* Takes "r-xp" or the like off the line; everything is executable if there is nothing of it. */
static bool take_executable(struct cursor *line)
{
	struct cursor at = *line;
	bool executable = false;

	scan_blanks(&at);
	while (at.pos < at.end && strchr("rwxps-", *at.pos))
		executable |= *at.pos++ == 'x';
	if (at.pos == line->pos || !is_word_end(&at))
		return true;
	*line = at;
	return executable;
}

/* Takes the offset in "(@1000)" off the end of the path. */
static u64 cut_offset(char *path)
{
	char *at = strstr(path, " (@"), *end;
	u64 offset;

	if (!at)
		return 0;
	offset = strtoull(at + 3, &end, 16);
	if (*end != ')')
		return 0;
	while (at > path && at[-1] == ' ')
		at--;
	*at = '\0';
	return offset;
}

/* Returns 1 if the line is a mapping, 0 if not, or -ENOMEM. */
static int brief_line(struct cursor line, struct map_entry *e)
{
	size_t size = cursor_left(&line) + 1;

	*e = (struct map_entry){.readable = true};
	if (!scan_hex(&line, &e->start))
		return 0;
	scan_literal(&line, "-");
	if (!scan_hex(&line, &e->end) || e->start >= e->end)
		return 0;
	scan_literal(&line, ":");
	e->executable = take_executable(&line);
	e->path = malloc(size);
	if (!e->path)
		return -ENOMEM;
	scan_rest(&line, e->path, size);
	e->offset = cut_offset(e->path);
	return 1;
}

static int add_line(struct cursor line, map_vec *out)
{
	size_t before = out->len;
	struct map_entry e;
	int ret;

	scan_blanks(&line);
	ret = maps_parse((struct bytes){line.pos, cursor_left(&line)}, out);
	if (ret || out->len > before)
		return ret;
	ret = brief_line(line, &e);
	if (ret > 0 && vec_push(out, e)) {
		free(e.path);
		return -ENOMEM;
	}
	return ret < 0 ? ret : 0;
}

static int map_compare(const void *left, const void *right)
{
	const struct map_entry *a = left, *b = right;

	return (a->start > b->start) - (a->start < b->start);
}

int memory_map_parse(struct bytes text, map_vec *out)
{
	struct cursor c = cursor_over(text), line;
	int ret = 0;

	while (!ret && scan_line(&c, &line))
		ret = add_line(line, out);
	if (out->len)
		qsort(out->data, out->len, sizeof(*out->data), map_compare);
	return ret;
}

bool memory_map_begins(const struct cursor *line)
{
	return line_has(line, "MAPPED_LIBRARIES:") || line_has(line, "--- Memory map: ---");
}

struct bytes memory_map_after(struct cursor line, struct cursor text)
{
	while (!memory_map_begins(&line)) {
		if (!scan_line(&text, &line))
			break;
	}
	return (struct bytes){text.pos, cursor_left(&text)};
}
