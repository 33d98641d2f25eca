/* SPDX-License-Identifier: Apache-2.0 */
/* Normalizes source paths: see source_path.h. */
#include "symbol/source_path.h"

#include <string.h>

struct builder {
	char *out;
	size_t len, size;
	size_t floor; /* ".." cannot remove anything before this position */
};

static void add_part(struct builder *b, const char *part, size_t len)
{
	bool slash = b->len && b->out[b->len - 1] != '/';

	if (b->size - b->len < len + slash + 1)
		return;
	if (slash)
		b->out[b->len++] = '/';
	memcpy(b->out + b->len, part, len);
	b->len += len;
}

static void go_up(struct builder *b)
{
	if (b->len > b->floor) {
		while (b->len > b->floor && b->out[b->len - 1] != '/')
			b->len--;
		if (b->len > b->floor)
			b->len--;
	} else if (!b->floor || b->out[0] != '/') {
		add_part(b, "..", 2);
		b->floor = b->len;
	}
}

void source_path_tidy(const char *path, char *out, size_t size)
{
	struct builder b = {.out = out, .size = size};

	if (!size)
		return;
	if (path[0] == '/' && size > 1)
		out[b.len++] = '/';
	b.floor = b.len;
	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && path[0] == '.' && path[1] == '.')
			go_up(&b);
		else if (len && !(len == 1 && path[0] == '.'))
			add_part(&b, path, len);
		path += len + (path[len] == '/');
	}
	out[b.len] = 0;
}
