/* SPDX-License-Identifier: Apache-2.0 */
/* A queue of perf records: see perf_backlog.h. */
#include "collect/perf/perf_backlog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct item {
	struct item *next;
	u64 taken;
	size_t size;
	u8 raw[];
};

struct perf_backlog {
	struct item *first, **last;
	size_t bytes;
};

int perf_backlog_new(struct perf_backlog **out)
{
	struct perf_backlog *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->last = &b->first;
	*out = b;
	return 0;
}

void perf_backlog_free(struct perf_backlog *b)
{
	while (b && b->first)
		perf_backlog_drop(b);
	free(b);
}

bool perf_backlog_is_empty(const struct perf_backlog *b)
{
	return !b->first;
}

bool perf_backlog_put(struct perf_backlog *b, struct bytes raw, u64 taken)
{
	struct item *item;

	if (raw.len > PERF_BACKLOG_MAX - b->bytes)
		return false;
	item = malloc(sizeof(*item) + raw.len);
	if (!item)
		return false;
	*item = (struct item){.taken = taken, .size = raw.len};
	memcpy(item->raw, raw.data, raw.len);
	*b->last = item;
	b->last = &item->next;
	b->bytes += raw.len;
	return true;
}

bool perf_backlog_first(struct perf_backlog *b, struct bytes *raw, u64 **taken)
{
	if (!b->first)
		return false;
	*raw = (struct bytes){b->first->raw, b->first->size};
	*taken = &b->first->taken;
	return true;
}

void perf_backlog_drop(struct perf_backlog *b)
{
	struct item *item = b->first;

	b->first = item->next;
	if (!b->first)
		b->last = &b->first;
	b->bytes -= item->size;
	free(item);
}
