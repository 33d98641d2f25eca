/* SPDX-License-Identifier: Apache-2.0 */
/* Perf records that wait: they keep their order and the decisions made about them, up to a
 * bound. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "collect/perf/perf_backlog.h"

static struct perf_backlog *new_backlog(void)
{
	struct perf_backlog *b;

	CHECK_INT(perf_backlog_new(&b), 0);
	return b;
}

TEST(perf_backlog, what_came_first_goes_first)
{
	struct perf_backlog *b = new_backlog();
	struct bytes raw;
	u64 *taken;

	CHECK(perf_backlog_is_empty(b));
	CHECK(!perf_backlog_first(b, &raw, &taken));
	for (u64 i = 0; i < 100; i++)
		CHECK(perf_backlog_put(b, (struct bytes){(const u8 *)&i, sizeof(i)},
				       i % 2 ? i : PERF_BACKLOG_UNDECIDED));
	for (u64 i = 0; i < 100; i++) {
		CHECK(perf_backlog_first(b, &raw, &taken));
		CHECK(raw.len == sizeof(i) && !memcmp(raw.data, &i, sizeof(i)));
		CHECK(*taken == (i % 2 ? i : PERF_BACKLOG_UNDECIDED));
		*taken = 1000 + i;
		CHECK(perf_backlog_first(b, &raw, &taken) && *taken == 1000 + i);
		perf_backlog_drop(b);
	}
	CHECK(perf_backlog_is_empty(b));
	perf_backlog_free(b);
}

TEST(perf_backlog, has_a_bound)
{
	static const u8 record[65000];
	struct perf_backlog *b = new_backlog();
	size_t n = 0;

	while (perf_backlog_put(b, (struct bytes){record, sizeof(record)}, 0))
		CHECK(++n * sizeof(record) <= PERF_BACKLOG_MAX);
	CHECK((n + 1) * sizeof(record) > PERF_BACKLOG_MAX);
	perf_backlog_drop(b);
	CHECK(perf_backlog_put(b, (struct bytes){record, sizeof(record)}, 0));
	CHECK(!perf_backlog_put(b, (struct bytes){record, sizeof(record)}, 0));
	perf_backlog_free(b); /* with what is in it */
}
