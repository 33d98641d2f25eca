/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Budgets: parts that are independent, memory of the file as a whole, and watches that end library
 * calls.
 */
#include <stdlib.h>
#include <string.h>

#include "base/budget.h"
#include "unit.h"

#define MIB (1ull << 20)

TEST(budget, each_part_has_its_own_steps)
{
	struct budget b;
	u64 taken = 0;

	budget_init(&b, 0);
	budget_limit(&b, 1000000, MIB);
	while (budget_take(&b, BUDGET_LINES, 10))
		taken += 10;
	CHECK_INT(taken, 1000000);
	CHECK_INT(budget_lost(&b, BUDGET_LINES), BUDGET_STEPS);
	CHECK(!budget_take(&b, BUDGET_LINES, 1));
	CHECK_INT(budget_lost(&b, BUDGET_SYMBOLS), BUDGET_OPEN);
	CHECK(budget_take(&b, BUDGET_SYMBOLS, 1000000));
	CHECK(!budget_take(&b, BUDGET_SYMBOLS, 1));
	CHECK_STR(budget_part_text(BUDGET_LINES), "line table");
	CHECK_STR(budget_end_text(budget_lost(&b, BUDGET_LINES)), "too large");
}

TEST(budget, more_steps_than_there_are_take_none)
{
	struct budget b;

	budget_init(&b, 0);
	budget_limit(&b, 100, MIB);
	CHECK(!budget_take(&b, BUDGET_INFO, UINT64_MAX));
	CHECK(!budget_take(&b, BUDGET_INFO, 1));
}

TEST(budget, memory_is_refused_piece_by_piece)
{
	struct budget b;

	budget_init(&b, 0);
	budget_limit(&b, 100, 10 * MIB);
	CHECK(budget_reserve(&b, BUDGET_INFO, 4 * MIB));
	CHECK(!budget_reserve(&b, BUDGET_INFO, UINT64_MAX));
	CHECK(!budget_reserve(&b, BUDGET_INFO, 7 * MIB));
	CHECK_INT(budget_lost(&b, BUDGET_INFO), BUDGET_BYTES);
	CHECK(budget_reserve(&b, BUDGET_SYMBOLS, 6 * MIB));
	CHECK(!budget_reserve(&b, BUDGET_SYMBOLS, 1));
}

TEST(budget, a_larger_file_may_take_more_memory)
{
	struct budget small, large;

	budget_init(&small, 4096);
	budget_init(&large, 64 * MIB);
	CHECK(small.bytes >= 256 * MIB);
	CHECK(large.bytes >= small.bytes + 256 * MIB);
	budget_extend(&small, 64 * MIB);
	CHECK(small.bytes >= large.bytes);
	budget_init(&large, UINT64_MAX);
	CHECK(large.bytes > small.bytes && large.bytes < UINT64_MAX / 2);
}

static bool stop_at(void *arg)
{
	int *left = arg;

	return (*left)-- <= 0;
}

TEST(budget, whoever_wants_to_stop_is_heard)
{
	int left = 3;
	const struct budget_watch watch = {.stop = stop_at, .arg = &left};
	struct budget b;
	bool ended = false;

	budget_init(&b, 0);
	budget_watch(&b, &watch);
	/* The watch is checked by the clock, every few milliseconds; nothing else would end this
	 * loop. */
	while (!ended) {
		b.steps[BUDGET_UNWIND] = UINT64_MAX / 2;
		ended = !budget_take(&b, BUDGET_UNWIND, 100000);
	}
	CHECK_INT(budget_lost(&b, BUDGET_UNWIND), BUDGET_STOPPED);
	/* That holds for all parts, even for an amount that would have fitted. */
	CHECK(!budget_take(&b, BUDGET_SYMBOLS, 1));
	CHECK_INT(budget_lost(&b, BUDGET_SYMBOLS), BUDGET_STOPPED);
}

TEST(budget, a_watch_bounds_cpu_time)
{
	const struct budget_watch watch = {.cpu_ns = 50 * 1000000};
	struct budget b;

	budget_init(&b, 0);
	budget_watch(&b, &watch);
	while (budget_look(&b, BUDGET_INFO, 1))
		b.steps[BUDGET_INFO] = 1000;
	CHECK_INT(budget_lost(&b, BUDGET_INFO), BUDGET_TIME);
}

TEST(budget, a_watch_bounds_growth)
{
	const struct budget_watch watch = {.time_ns = 3600 * 1000000000ull};
	enum { PIECES = 4096 };
	static char *piece[PIECES];
	size_t n = 0;
	struct budget b;

	budget_init(&b, 0);
	budget_limit(&b, UINT64_MAX, 64 * MIB);
	budget_watch(&b, &watch);
	for (; n < PIECES && budget_look(&b, BUDGET_INFO, 1); n++) {
		piece[n] = malloc(MIB);
		CHECK(piece[n]);
		memset(piece[n], 1, MIB);
		/* A check costs nothing until the clock has advanced. */
		b.next_look = 0;
	}
	CHECK_INT(budget_lost(&b, BUDGET_INFO), BUDGET_BYTES);
	CHECK(n >= 32 && n <= 128);
	for (size_t i = 0; i < n; i++)
		free(piece[i]);
}
