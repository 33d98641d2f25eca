/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of places for probes, which are few and used again. */
#include "unit.h"

#include <errno.h>

#include "collect/probe/site_table.h"

static u32 put(struct site_table *t)
{
	struct heap_site site = {.number = ~0u};

	CHECK_INT(site_table_put(t, &site), 0);
	return site.number;
}

TEST(site_table, a_number_is_free_for_as_long_as_possible)
{
	struct site_table t = {.fd = -1, .size = 100};
	struct heap_site site;

	for (u32 i = 0; i < 60; i++)
		CHECK_INT(put(&t), i);
	for (u32 i = 0; i < 10; i++)
		site_table_give_back(&t, i);
	for (u32 i = 60; i < 100; i++)
		CHECK_INT(put(&t), i);
	for (u32 i = 0; i < 10; i++)
		CHECK_INT(put(&t), i);
	CHECK_INT(site_table_put(&t, &site), -ENOSPC);
	site_table_give_back(&t, 71);
	site_table_give_back(&t, 71); /* this one has no effect, and neither has the next */
	site_table_give_back(&t, 100);
	CHECK_INT(t.used, 99);
	CHECK_INT(put(&t), 71);
	CHECK_INT(site_table_put(&t, &site), -ENOSPC);
}

TEST(site_table, places_give_back_their_cookies)
{
	struct site_table t = {.fd = -1, .size = HEAP_MAX_SITES};
	uprobe_places places = {0};
	struct heap_site site;

	for (u32 round = 0; round < 3; round++) {
		for (u32 i = 0; i < HEAP_MAX_SITES; i++)
			CHECK_INT(vec_push(&places, (struct uprobe_place){.cookie = put(&t)}), 0);
		CHECK_INT(site_table_put(&t, &site), -ENOSPC);
		site_table_give_back_all(&t, &places);
		CHECK_INT(t.used, 0);
		places.len = 0;
	}
	vec_release(&places);
}
