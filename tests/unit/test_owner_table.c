/* SPDX-License-Identifier: Apache-2.0 */
/* Owners of stacks: equal ones get one number, and those that nobody needs get none. */
#include <string.h>

#include "collect/session/owner_table.h"
#include "short_memory.h"
#include "unit.h"

static struct thread_id owner(u32 tid)
{
	return (struct thread_id){.tgid = {1}, .tid = {tid}, .comm = "worker"};
}

static u32 put(struct owner_table *t, u32 tid)
{
	const struct thread_id o = owner(tid);
	u32 number = 0;

	CHECK_INT(owner_table_put(t, &o, &number), 0);
	return number;
}

TEST(owner_table, equal_owners_have_one_number)
{
	struct owner_table t;

	CHECK_INT(owner_table_init(&t), 0);
	CHECK_INT(put(&t, 5), put(&t, 5));
	CHECK(put(&t, 5) != put(&t, 6));
	CHECK(put(&t, 5) != OWNER_NONE);
	CHECK_INT(owner_table_get(&t, put(&t, 6))->tid.nr, 6);
	CHECK_INT(owner_table_get(&t, OWNER_NONE)->tid.nr, 0);
	owner_table_release(&t);
}

TEST(owner_table, those_in_use_get_new_numbers_when_the_others_go)
{
	enum { OWNERS = 1000 };
	u32 number[OWNERS];
	struct owner_table t;

	CHECK_INT(owner_table_init(&t), 0);
	for (u32 i = 0; i < OWNERS; i++)
		number[i] = put(&t, i + 1);
	owner_table_begin(&t);
	for (u32 i = 0; i < OWNERS; i += 7)
		owner_table_mark(&t, number[i]);
	owner_table_renumber(&t);
	for (u32 i = 0; i < OWNERS; i += 7)
		number[i] = owner_table_moved(&t, number[i]);
	short_memory_after(0);
	owner_table_end(&t);
	short_memory_after(-1);
	CHECK_INT(t.items.len, 1 + (OWNERS + 6) / 7);
	for (u32 i = 0; i < OWNERS; i += 7) {
		CHECK_INT(owner_table_get(&t, number[i])->tid.nr, i + 1);
		CHECK_INT(put(&t, i + 1), number[i]);
	}
	owner_table_release(&t);
}

TEST(owner_table, an_owner_without_memory_is_refused)
{
	struct owner_table t;
	u32 n = 0, number;

	CHECK_INT(owner_table_init(&t), 0);
	short_memory_after(0);
	while (n < 1000 && !owner_table_put(&t, &(struct thread_id){.tid = {n + 1}}, &number))
		n++;
	short_memory_after(-1);
	CHECK(n < 1000);
	CHECK_INT(t.items.len, n + 1);
	owner_table_release(&t);
}
