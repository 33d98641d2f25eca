/* SPDX-License-Identifier: Apache-2.0 */
/* Computes how much memory stacks may use: see memory_bound.h. */
#include "collect/session/memory_bound.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/memory_used.h"

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

size_t memory_bound_space(const struct memory_bound *b, size_t held)
{
	const struct memory_used used = memory_used_read(b->statm);
	u64 others, least = b->max / LEAST_SHARE;

	if (!b->max)
		return 0;
	others = used.resident - used.shared > held ? used.resident - used.shared - held : 0;
	return others + least < b->max ? b->max - others : least;
}
