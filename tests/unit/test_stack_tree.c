/* SPDX-License-Identifier: Apache-2.0 */
/* Stacks as paths of one tree: what is shared, what is read back, and what is dropped. */
#include <stdlib.h>
#include <string.h>

#include "collect/session/stack_tree.h"
#include "short_memory.h"
#include "unit.h"

static const struct proc_pid no_process;

static u32 put(struct stack_tree *t, struct proc_pid tgid, const u64 *frames, u32 n)
{
	u32 leaf = 0;

	CHECK_INT(stack_tree_put(t, tgid, frames, n, &leaf), 0);
	return leaf;
}

static void check_path(const struct stack_tree *t, u32 leaf, const u64 *frames, u32 n, u32 tgid)
{
	struct tree_path *path = malloc(sizeof(*path));

	CHECK(path);
	stack_tree_path(t, leaf, path);
	CHECK_INT(path->nframes, n);
	CHECK_INT(path->tgid.nr, tgid);
	CHECK(!memcmp(path->frames, frames, n * sizeof(*frames)));
	free(path);
}

TEST(stack_tree, callers_are_stored_once)
{
	const u64 a[] = {FRAME(20, 1), FRAME(20, 2), FRAME(20, 3)};
	const u64 b[] = {FRAME(20, 9), FRAME(20, 2), FRAME(20, 3)};
	struct stack_tree t;

	CHECK_INT(stack_tree_init(&t), 0);
	check_path(&t, put(&t, no_process, a, 3), a, 3, 0);
	check_path(&t, put(&t, no_process, b, 3), b, 3, 0);
	CHECK_INT(put(&t, no_process, a, 3), put(&t, no_process, a, 3));
	CHECK_INT(t.nodes.len, 1 + 3 + 1);
	stack_tree_release(&t);
}

TEST(stack_tree, the_kernels_part_is_stored_once_for_all_callers)
{
	u64 frames[4] = {FRAME(MODULE_KERNEL, 1), FRAME(MODULE_KERNEL, 2), FRAME(MODULE_KERNEL, 3)};
	struct stack_tree t;

	CHECK_INT(stack_tree_init(&t), 0);
	for (u64 i = 0; i < 100; i++) {
		frames[3] = FRAME(20, i);
		check_path(&t, put(&t, no_process, frames, 4), frames, 4, 0);
	}
	check_path(&t, put(&t, no_process, frames, 3), frames, 3, 0); /* only kernel frames */
	CHECK_INT(t.nodes.len, 1 + 3 + 2 * 100);
	stack_tree_release(&t);
}

TEST(stack_tree, jitted_code_is_told_apart_by_process)
{
	const u64 frames[2] = {FRAME(MODULE_ANON, 1), FRAME(20, 2)};
	struct stack_tree t;
	u32 one, two;

	CHECK_INT(stack_tree_init(&t), 0);
	one = put(&t, (struct proc_pid){11}, frames, 2);
	two = put(&t, (struct proc_pid){12}, frames, 2);
	CHECK(one != two);
	check_path(&t, one, frames, 2, 11);
	check_path(&t, two, frames, 2, 12);
	stack_tree_release(&t);
}

TEST(stack_tree, the_deepest_stack_comes_out_whole)
{
	static u64 frames[STACK_MAX_FRAMES];
	struct stack_tree t;

	for (u32 i = 0; i < STACK_MAX_FRAMES; i++)
		frames[i] = i < STACK_MAX_KERNEL ? FRAME(MODULE_KERNEL, i) : FRAME(MODULE_ANON, i);
	CHECK_INT(stack_tree_init(&t), 0);
	check_path(&t, put(&t, (struct proc_pid){7}, frames, STACK_MAX_FRAMES), frames,
		   STACK_MAX_FRAMES, 7);
	stack_tree_release(&t);
}

TEST(stack_tree, a_stack_without_memory_leaves_the_tree_as_it_was)
{
	u64 frames[100];
	struct stack_tree t;
	u32 leaf;

	for (u32 i = 0; i < ARRAY_LEN(frames); i++)
		frames[i] = FRAME(20, i);
	CHECK_INT(stack_tree_init(&t), 0);
	short_memory_after(0);
	CHECK(stack_tree_put(&t, no_process, frames, ARRAY_LEN(frames), &leaf) < 0);
	short_memory_after(-1);
	CHECK_INT(t.nodes.len, 1);
	check_path(&t, put(&t, no_process, frames, ARRAY_LEN(frames)), frames, ARRAY_LEN(frames),
		   0);
	stack_tree_release(&t);
}

TEST(stack_tree, different_frames_are_counted_roughly)
{
	enum { CALLERS = 300, CALLEES = 1000 };
	struct stack_tree t;

	CHECK_INT(stack_tree_init(&t), 0);
	for (u64 i = 0; i < CALLERS * CALLEES; i++) {
		const u64 frames[] = {FRAME(20, i % CALLEES), FRAME(21, i / CALLEES)};

		(void)put(&t, no_process, frames, 2);
	}
	CHECK(stack_tree_distinct(&t) > (CALLERS + CALLEES) * 95 / 100);
	CHECK(stack_tree_distinct(&t) < (CALLERS + CALLEES) * 105 / 100);
	stack_tree_release(&t);
}

TEST(stack_tree, nodes_that_are_worth_little_are_dropped)
{
	u64 frames[5] = {FRAME(MODULE_KERNEL, 1), FRAME(MODULE_KERNEL, 2), FRAME(20, 3),
			 FRAME(20, 4), FRAME(20, 5)};
	struct stack_tree t;
	u32 heavy, light;

	CHECK_INT(stack_tree_init(&t), 0);
	light = put(&t, no_process, frames, 5);
	frames[2] = FRAME(20, 99);
	heavy = put(&t, no_process, frames, 5);
	for (size_t i = 0; i < t.nodes.len; i++)
		t.side.data[i].worth = 0;
	t.side.data[light].worth = 1;
	t.side.data[heavy].worth = 10;
	stack_tree_sum(&t);
	stack_tree_mark(&t, 5);
	light = stack_tree_moved(&t, light);
	heavy = stack_tree_moved(&t, heavy);
	stack_tree_compact(&t);
	stack_tree_trim(&t);
	CHECK(!(heavy & TREE_CUT));
	check_path(&t, heavy, frames, 5, 0);
	CHECK(light & TREE_CUT);
	check_path(&t, light & ~TREE_CUT, frames + 3, 2, 0);
	CHECK_INT(t.nodes.len, 1 + 2 + 2 + 2);
	CHECK_INT(put(&t, no_process, frames, 5), heavy);
	stack_tree_release(&t);
}
