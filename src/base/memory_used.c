/* SPDX-License-Identifier: Apache-2.0 */
/* Reads /proc/self/statm: see memory_used.h. */
#include "base/memory_used.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct memory_used memory_used_read(int statm)
{
	unsigned long long size, resident, shared;
	const u64 page = (u64)sysconf(_SC_PAGESIZE);
	char text[128];
	ssize_t n = statm < 0 ? -1 : pread(statm, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return (struct memory_used){0};
	text[n] = '\0';
	if (sscanf(text, "%llu %llu %llu", &size, &resident, &shared) != 3 || shared > resident)
		return (struct memory_used){0};
	return (struct memory_used){size * page, resident * page, shared * page};
}

struct memory_used memory_used(void)
{
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	struct memory_used used = memory_used_read(fd);

	if (fd >= 0)
		close(fd);
	return used;
}
