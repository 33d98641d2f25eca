/* SPDX-License-Identifier: Apache-2.0 */
/* Questions of preloaded samplers that this cprof does not answer. */
#include <bpf/bpf.h>
#include <errno.h>
#include <unistd.h>

#include "collect/heap/launched.h"
#include "unit.h"

static int new_map(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "modules", sizeof(u64), sizeof(u32), 16, NULL);

	if (fd < 0)
		unit_skip("BPF needs root");
	return fd;
}

static bool has(int map, u64 inode)
{
	u32 number;

	return !bpf_map_lookup_elem(map, &inode, &number);
}

/* The kernel notes that the file of a program that asks is being loaded, because the answer loads
 * it. Without an answer it would never be, and all stacks through it would be cut. */
TEST(launched, a_question_that_is_ignored_leaves_its_file_to_be_loaded)
{
	const struct new_process asks = {.asks = 1, .inode = 4711}, begins = {.inode = 4712};
	const struct new_process nowhere = {.asks = 1};
	const struct launched l = {.modules_fd = new_map()};
	const u64 inodes[] = {0, 4711, 4712};
	const u32 loading = 0;

	for (u32 i = 0; i < ARRAY_LEN(inodes); i++)
		CHECK_INT(bpf_map_update_elem(l.modules_fd, &inodes[i], &loading, BPF_ANY), 0);
	launched_ignore(&l, &begins);
	launched_ignore(&l, &nowhere);
	CHECK(has(l.modules_fd, 0) && has(l.modules_fd, 4711) && has(l.modules_fd, 4712));
	launched_ignore(&l, &asks);
	CHECK(!has(l.modules_fd, 4711) && has(l.modules_fd, 4712));
	launched_ignore(&l, &asks); /* It asks again. */
	close(l.modules_fd);
}

/* A process that has ended, or whose number is not known here, gets no answer either. */
TEST(launched, a_question_of_a_process_that_is_gone)
{
	const struct new_process asks = {.asks = 1, .inode = 4711};
	const struct launched l = {.modules_fd = new_map()};
	const u64 inode = 4711;
	const u32 loading = 0;

	CHECK_INT(bpf_map_update_elem(l.modules_fd, &inode, &loading, BPF_ANY), 0);
	launched_hear(&l, &asks);
	CHECK(!has(l.modules_fd, inode));
	close(l.modules_fd);
}
