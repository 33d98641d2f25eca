/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a perf map: each address gets the name of the last line that covers it, or none. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "symbol/jit.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static char *copy_of(const u8 *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = 0;
	return text;
}

/* The plain way: the last line that covers `address`, by its name. */
static char *find_slowly(char *text, u64 address)
{
	char *found = NULL;

	for (char *end; (end = strchr(text, '\n')); text = end + 1) {
		char *at = text, *stop;
		u64 start, size;

		*end = 0;
		errno = 0;
		start = strtoull(at, &stop, 16);
		if (stop == at || *stop != ' ')
			continue;
		at = stop + 1;
		size = strtoull(at, &stop, 16);
		if (stop == at || *stop != ' ' || !stop[1] || start + size < start || errno)
			continue;
		if (address >= start && address - start < size)
			found = stop + 1;
	}
	return found;
}

/* Only hex digits, blanks, newlines and letters: what strtoull() reads as parse_hex() does. */
static bool is_plain(const u8 *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		bool first = !i || data[i - 1] == '\n' || data[i - 1] == ' ';

		if (!strchr("0123456789abcdef \nghi", data[i]) || !data[i])
			return false;
		if (first && data[i] == ' ')
			return false;
	}
	return size < 2000;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct jit_map *map;

	if (jit_map_parse(copy_of(data, size), size, &map))
		abort();
	for (u64 address = 0; address < 0x200; address++) {
		const char *name = jit_map_find(map, address), *want;
		char *text;

		if (name && strlen(name) > size)
			abort();
		if (!is_plain(data, size))
			continue;
		text = copy_of(data, size);
		want = find_slowly(text, address);
		if (!name != !want || (name && strcmp(name, want) != 0))
			abort();
		free(text);
	}
	jit_map_free(map);
	return 0;
}
