/* SPDX-License-Identifier: Apache-2.0 */
/* Parses any text as a perf map, and checks that each address gets the name of the last line that
 * covers it, or none. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* Finds the last line that covers `address`, and its name, by a plain search. */
static char *find_slowly(char *text, u64 address)
{
	char *found = NULL;

	for (char *end; (end = strchr(text, '\n')); text = end + 1) {
		char *at = text, *stop;
		u64 start, size;

		*end = 0;
		errno = 0;
		start = strtoull(at, &stop, 16);
		if (stop == at || stop - at > 16 || *stop != ' ')
			continue;
		at = stop + 1;
		size = strtoull(at, &stop, 16);
		if (stop == at || stop - at > 16 || *stop != ' ' || !stop[1] ||
		    start + size < start || errno)
			continue;
		if (address >= start && address - start < size)
			found = stop + 1;
	}
	return found;
}

/* Accepts only hex digits, blanks, newlines and letters, which strtoull() reads as parse_hex()
 * does. */
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

static int file_of(const u8 *data, size_t size)
{
	int fd = memfd_create("map", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	return fd;
}

static void check_name(const u8 *data, size_t size, u64 address, const char *name)
{
	char *text = copy_of(data, size);
	const char *want = find_slowly(text, address);

	if (!name != !want || (name && strncmp(name, want, JIT_NAME_MAX - 1) != 0))
		abort();
	free(text);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	int fd = file_of(data, size);
	struct jit_names *names;
	u64 addresses[0x200];
	struct budget budget;

	budget_init(&budget, size);
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
		addresses[i] = i;
	if (jit_names_scan(fd, &budget, addresses, ARRAY_LEN(addresses), &names))
		abort();
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		const char *name = jit_names_at(names, i);

		if (name && strlen(name) > size)
			abort();
		if (is_plain(data, size))
			check_name(data, size, addresses[i], name);
	}
	jit_names_free(names);
	close(fd);
	return 0;
}
