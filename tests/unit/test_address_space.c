/* SPDX-License-Identifier: Apache-2.0 */
/* Mappings of a process in perf mode, where the latest one counts. */
#include <stdlib.h>

#include "collect/perf/address_space.h"
#include "unit.h"

static void add(struct address_space *s, u64 start, u64 end, u32 module)
{
	struct space_map map = {.start = start, .end = end, .module = module};

	CHECK_INT(address_space_add(s, &map), 0);
}

static u32 module_at(const struct address_space *s, u64 addr)
{
	const struct space_map *map = address_space_find(s, addr);

	return map ? map->module : 0;
}

TEST(address_space, finds_by_half_open_ranges)
{
	struct address_space s = {0};

	CHECK(!address_space_find(&s, 5));
	add(&s, 20, 30, 2);
	add(&s, 10, 20, 1);
	CHECK_INT(module_at(&s, 9), 0);
	CHECK_INT(module_at(&s, 10), 1);
	CHECK_INT(module_at(&s, 19), 1);
	CHECK_INT(module_at(&s, 20), 2);
	CHECK_INT(module_at(&s, 30), 0);
	address_space_release(&s);
}

TEST(address_space, a_new_mapping_cuts_the_old_ones)
{
	struct address_space s = {0};

	add(&s, 0, 100, 1);
	add(&s, 40, 60, 2); /* in the middle */
	CHECK_INT(s.maps.len, 3);
	add(&s, 50, 70, 3); /* over an end and a beginning */
	CHECK_INT(module_at(&s, 39), 1);
	CHECK_INT(module_at(&s, 49), 2);
	CHECK_INT(module_at(&s, 50), 3);
	CHECK_INT(module_at(&s, 69), 3);
	CHECK_INT(module_at(&s, 70), 1);
	add(&s, 0, 100, 4); /* over everything */
	CHECK_INT(s.maps.len, 1);
	add(&s, 10, 10, 5); /* empty */
	CHECK_INT(s.maps.len, 1);
	address_space_release(&s);
}

/* The result is compared with an array that records for each address what was mapped there last. */
TEST(address_space, agrees_with_a_plain_array)
{
	struct address_space s = {0}, copy = {0};
	u32 truth[256] = {0};

	srand(1);
	for (u32 round = 1; round < 5000; round++) {
		u64 start = (u64)rand() % 256, end = start + (u64)rand() % (257 - start);

		add(&s, start, end, round);
		for (u64 i = start; i < end; i++)
			truth[i] = round;
		for (size_t i = 1; i < s.maps.len; i++)
			CHECK(s.maps.data[i - 1].end <= s.maps.data[i].start);
	}
	CHECK_INT(address_space_copy(&copy, &s), 0);
	for (u64 i = 0; i < 256; i++) {
		CHECK_INT(module_at(&s, i), truth[i]);
		CHECK_INT(module_at(&copy, i), truth[i]);
	}
	address_space_release(&s);
	address_space_release(&copy);
}
