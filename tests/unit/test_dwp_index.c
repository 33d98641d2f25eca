/* SPDX-License-Identifier: Apache-2.0 */
/* The index of DWARF package files: what is found, and what damage does. */
#include <errno.h>
#include <stdlib.h>

#include "elf/dwp_index.h"
#include "unit.h"

enum { SLOTS = 4, UNITS = 2, COLUMNS = 3 };

struct index_image {
	u32 version, columns, units, slots;
	u64 ids[SLOTS];
	u32 rows[SLOTS];
	u32 kinds[COLUMNS];
	u32 offsets[UNITS][COLUMNS], sizes[UNITS][COLUMNS];
} __attribute__((packed));

/* Both IDs belong in slot 1, so the second one is in the next slot. */
static const struct index_image sample = {
	.version = 5,
	.columns = COLUMNS,
	.units = UNITS,
	.slots = SLOTS,
	.ids = {0, 0x100000001, 0x100000005, 0},
	.rows = {0, 2, 1, 0},
	.kinds = {1, 3, 99},
	.offsets = {{10, 20, 7}, {30, 40, 7}},
	.sizes = {{20, 5, 7}, {6, 50, 7}},
};

static struct bytes bytes_of(const struct index_image *image)
{
	return (struct bytes){(const u8 *)image, sizeof(*image)};
}

TEST(dwp_index, finds_units_by_their_id)
{
	static const u8 section[60];
	struct dwp_index index;
	struct dwp_unit unit;

	CHECK_INT(dwp_index_init(&index, bytes_of(&sample)), 0);
	CHECK(dwp_index_find(&index, 0x100000001, &unit));
	CHECK_INT(unit.parts[DWP_INFO].offset, 30);
	CHECK_INT(unit.parts[DWP_INFO].size, 6);
	CHECK(dwp_index_find(&index, 0x100000005, &unit));
	CHECK_INT(unit.parts[DWP_ABBREV].offset, 20);
	CHECK_INT(unit.parts[DWP_STR_OFFSETS].size, 0);
	CHECK_INT(dwp_unit_part(&unit, DWP_INFO, (struct bytes){section, 60}).len, 20);
	CHECK_INT(dwp_unit_part(&unit, DWP_INFO, (struct bytes){section, 29}).len, 0);
	CHECK(!dwp_index_find(&index, 0x100000009, &unit));
	CHECK(!dwp_index_find(&index, 2, &unit));
}

TEST(dwp_index, refuses_what_does_not_fit)
{
	struct index_image image = sample;
	struct dwp_index index;
	struct dwp_unit unit;

	for (size_t len = 0; len < sizeof(image); len++)
		CHECK_INT(dwp_index_init(&index, (struct bytes){(const u8 *)&image, len}),
			  -EBADMSG);
	image.version = 6;
	CHECK_INT(dwp_index_init(&index, bytes_of(&image)), -EBADMSG);
	image = sample;
	image.slots = 3;
	CHECK_INT(dwp_index_init(&index, bytes_of(&image)), -EBADMSG);
	image = sample;
	image.rows[1] = UNITS + 1;
	CHECK_INT(dwp_index_init(&index, bytes_of(&image)), 0);
	CHECK(!dwp_index_find(&index, 0x100000001, &unit));
	image = sample; /* a table without an empty slot does not make the search endless */
	for (int i = 0; i < SLOTS; i++)
		image.rows[i] = 1;
	CHECK_INT(dwp_index_init(&index, bytes_of(&image)), 0);
	CHECK(!dwp_index_find(&index, 0x123, &unit));
	image.slots = 0;
	CHECK_INT(dwp_index_init(&index, bytes_of(&image)), 0);
	CHECK(!dwp_index_find(&index, 0x123, &unit));
}
