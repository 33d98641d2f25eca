/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the pages of code that were written to: see code_pages.h. */
#include "collect/probe/code_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "target/process.h"

/* An entry of /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst). */
#define ENTRY_PRESENT (1ull << 63)
#define ENTRY_SWAPPED (1ull << 62)
#define ENTRY_OF_FILE (1ull << 61)

int code_pages_open(pid_t tgid)
{
	char path[PROCESS_PATH_MAX];
	int fd;

	process_path(tgid, "pagemap", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* A page of code that was written to is the process's own copy. */
static bool is_copy(u64 entry)
{
	return (entry & ENTRY_SWAPPED) || ((entry & ENTRY_PRESENT) && !(entry & ENTRY_OF_FILE));
}

u64 code_pages_copied(int pagemap, u64 address, u64 n, bool copied[CODE_PAGES_AT_ONCE])
{
	u64 entries[CODE_PAGES_AT_ONCE];
	ssize_t got;

	if (n > CODE_PAGES_AT_ONCE)
		n = CODE_PAGES_AT_ONCE;
	got = pread(pagemap, entries, n * sizeof(*entries),
		    (off_t)(address / CODE_PAGE * sizeof(*entries)));
	n = got > 0 ? (u64)got / sizeof(*entries) : 0;
	for (u64 i = 0; i < n; i++)
		copied[i] = is_copy(entries[i]);
	return n;
}
