/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/maps: the kernel's own text, ours, and the effects of hostile file names. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "target/maps.h"

static void parse(const char *text, map_vec *out)
{
	CHECK_INT(maps_parse((struct bytes){(const u8 *)text, strlen(text)}, out), 0);
}

TEST(maps, reads_every_field)
{
	map_vec v = {0};

	parse("7f0c8a000000-7f0c8a028000 r-xp 00028000 fe:1a 1310743    /usr/lib/libc.so.6\n"
	      "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0   [vsyscall]\n"
	      "1000-2000 rw-s 00000000 00:00 0\n",
	      &v);
	CHECK_INT(v.len, 3);
	CHECK_INT(v.data[0].start, 0x7f0c8a000000);
	CHECK_INT(v.data[0].end, 0x7f0c8a028000);
	CHECK_INT(v.data[0].offset, 0x28000);
	CHECK_INT(v.data[0].dev_major, 0xfe);
	CHECK_INT(v.data[0].dev_minor, 0x1a);
	CHECK_INT(v.data[0].inode, 1310743);
	CHECK(v.data[0].readable && !v.data[0].writable && v.data[0].executable);
	CHECK(!v.data[0].shared && !v.data[0].deleted);
	CHECK_STR(v.data[0].path, "/usr/lib/libc.so.6");
	CHECK(v.data[1].start == 0xffffffffff600000 && v.data[1].executable);
	CHECK_STR(v.data[1].path, "[vsyscall]");
	CHECK(v.data[2].shared && v.data[2].writable);
	CHECK_STR(v.data[2].path, "");
	maps_release(&v);
	CHECK_INT(v.len, 0);
}

TEST(maps, hostile_paths_stay_paths)
{
	map_vec v = {0};

	parse("1000-2000 r-xp 0 01:02 3 /tmp/a b \\012 c\\134 (deleted)\n"
	      "2000-3000 r-xp 0 01:02 3 /tmp/\\01\n"
	      "3000-4000 r-xp 0 01:02 3 /tmp/(deleted)\n"
	      "4000-5000 r-xp 0 01:02 3  (deleted)\n",
	      &v);
	CHECK_INT(v.len, 4);
	CHECK_STR(v.data[0].path, "/tmp/a b \n c\\134");
	CHECK(v.data[0].deleted);
	CHECK_STR(v.data[1].path, "/tmp/\\01");
	CHECK_STR(v.data[2].path, "/tmp/(deleted)");
	CHECK(!v.data[2].deleted);
	CHECK_STR(v.data[3].path, "(deleted)");
	maps_release(&v);
}

TEST(maps, skips_what_is_no_mapping)
{
	map_vec v = {0};
	static const char with_nul[] = "1000-2000 r-xp 0 01:02 3 /a\0b\n9000-a000 r--p 0 0:0 0";

	parse("\n"
	      "junk\n"
	      "2000-1000 r-xp 0 01:02 3 /backwards\n"
	      "1000-1000 r-xp 0 01:02 3 /empty\n"
	      "1000-11111111111111111 r-xp 0 01:02 3 /too-long\n"
	      "1000-2000 rwxq 0 01:02 3 /flags\n"
	      "1000-2000 r-xp 0 01:02 99999999999999999999999 /inode\n"
	      "1000-2000 r-xp 0 0102 3 /device\n"
	      "-2000 r-xp 0 01:02 3 /no-start\n"
	      "1000-2000 r-xp 0 01:02",
	      &v);
	CHECK_INT(v.len, 0);
	CHECK_INT(maps_parse((struct bytes){(const u8 *)with_nul, sizeof(with_nul) - 1}, &v), 0);
	CHECK_INT(v.len, 1);
	CHECK_INT(v.data[0].start, 0x9000);
	maps_release(&v);
}

TEST(maps, every_cut_of_a_line_is_safe)
{
	static const char line[] = "7f00-8f00 r-xp 00028000 fe:1a 1310743 /lib\\012x (deleted)\n";

	for (size_t len = 0; len < sizeof(line); len++) {
		map_vec v = {0};
		u8 *copy = malloc(len + !len);

		memcpy(copy, line, len);
		CHECK_INT(maps_parse((struct bytes){copy, len}, &v), 0);
		maps_release(&v);
		free(copy);
	}
}

TEST(maps, reads_our_own)
{
	map_vec v = {0};
	bool found_text = false, found_stack = false;
	u64 here = (u64)(uintptr_t)&parse;

	CHECK_INT(maps_read(getpid(), &v), 0);
	vec_for_each(&v, e) {
		found_text |= here >= e->start && here < e->end && e->executable &&
			      strstr(e->path, "unit");
		found_stack |= !strcmp(e->path, "[stack]");
	}
	CHECK(found_text && found_stack);
	maps_release(&v);
}

TEST(maps, no_such_process)
{
	map_vec v = {0};

	CHECK_INT(maps_read(0x7ffffff0, &v), -ESRCH);
	CHECK_INT(v.len, 0);
}

TEST(maps, the_stack_of_the_first_thread)
{
	int here = 0;
	void *elsewhere = malloc(1);

	CHECK(getpid() != gettid() || maps_in_main_stack(getpid(), (u64)(uintptr_t)&here));
	CHECK(!maps_in_main_stack(getpid(), (u64)(uintptr_t)elsewhere));
	CHECK(!maps_in_main_stack(0, (u64)(uintptr_t)&here));
	free(elsewhere);
}
