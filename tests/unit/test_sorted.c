/* SPDX-License-Identifier: Apache-2.0 */
/* Tests searches in sorted arrays against a search from one end to the other. */
#include "base/sorted.h"
#include "unit.h"

struct item {
	u32 other;
	u64 key;
};

#define ITEMS 9

static size_t first_from(const struct item *items, size_t n, u64 key)
{
	size_t i = 0;

	while (i < n && items[i].key < key)
		i++;
	return i;
}

TEST(sorted, every_key_in_arrays_of_every_length)
{
	const u64 keys[ITEMS] = {0, 1, 1, 1, 4, 7, 7, 9, UINT64_MAX};
	struct item items[ITEMS];

	for (size_t i = 0; i < ITEMS; i++)
		items[i] = (struct item){.other = 99, .key = keys[i]};
	for (size_t n = 0; n <= ITEMS; n++) {
		for (u64 key = 0; key < 12; key++) {
			CHECK_INT(sorted_from(keys, n, key), first_from(items, n, key));
			CHECK_INT(sorted_from_by(items, n, key, key), first_from(items, n, key));
			CHECK_INT(sorted_behind_by(items, n, key, key),
				  first_from(items, n, key + 1));
		}
	}
	CHECK_INT(sorted_from(keys, ITEMS, UINT64_MAX), ITEMS - 1);
	CHECK_INT(sorted_behind_by(items, ITEMS, key, UINT64_MAX), ITEMS);
}

TEST(sorted, an_empty_array_needs_no_memory)
{
	const struct item *none = NULL;

	CHECK_INT(sorted_from(NULL, 0, 5), 0);
	CHECK_INT(sorted_from_by(none, 0, key, 5), 0);
	CHECK_INT(sorted_behind_by(none, 0, key, 5), 0);
}
