/* SPDX-License-Identifier: Apache-2.0 */
/* Computes how much memory stacks may use: see memory_bound.h. */
#include "collect/session/memory_bound.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define LEAST_SHARE 8

void memory_bound_init(struct memory_bound *b, u64 max)
{
	b->max = max;
	b->statm = max ? open("/proc/self/statm", O_RDONLY | O_CLOEXEC) : -1;
}

void memory_bound_release(struct memory_bound *b)
{
	if (b->statm >= 0)
		close(b->statm);
	b->statm = -1;
}

/* The fields are size, resident and shared (those of files), in pages (proc_pid_statm(5)). */
static u64 anonymous_bytes(const struct memory_bound *b)
{
	unsigned long long size, resident, shared;
	char text[128];
	ssize_t n = b->statm < 0 ? -1 : pread(b->statm, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	if (sscanf(text, "%llu %llu %llu", &size, &resident, &shared) != 3 || shared > resident)
		return 0;
	return (u64)(resident - shared) * (u64)sysconf(_SC_PAGESIZE);
}

size_t memory_bound_space(const struct memory_bound *b, size_t held)
{
	u64 all, others, least = b->max / LEAST_SHARE;

	if (!b->max)
		return 0;
	all = anonymous_bytes(b);
	others = all > held ? all - held : 0;
	return others + least < b->max ? b->max - others : least;
}
