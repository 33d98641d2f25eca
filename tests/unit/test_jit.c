/* SPDX-License-Identifier: Apache-2.0 */
/* Perf maps: overlaps, odd names, and files that are not what they seem. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"
#include "symbol/jit.h"
#include "unit.h"

static struct jit_map *parse(const char *text)
{
	size_t len = strlen(text);
	char *copy = malloc(len ? len : 1);
	struct jit_map *map;

	memcpy(copy, text, len);
	CHECK_INT(jit_map_parse(copy, len, &map), 0);
	return map;
}

TEST(jit, finds_names_with_spaces_and_any_bytes)
{
	struct jit_map *map = parse("7f00 20 LazyCompile:~run /app/x.js:3\n"
				    "0x8000 0x10 \xff\x01 odd\n");

	CHECK_STR(jit_map_find(map, 0x7f00), "LazyCompile:~run /app/x.js:3");
	CHECK_STR(jit_map_find(map, 0x7f1f), "LazyCompile:~run /app/x.js:3");
	CHECK(!jit_map_find(map, 0x7f20));
	CHECK(!jit_map_find(map, 0x7eff));
	CHECK_STR(jit_map_find(map, 0x8001), "\xff\x01 odd");
	jit_map_free(map);
}

TEST(jit, the_last_of_overlapping_lines_wins)
{
	struct jit_map *map = parse("1000 100 old\n"
				    "1040 20 inner\n"
				    "2000 10 first\n"
				    "2000 20 second\n"
				    "3000 10 kept\n"
				    "2ff0 100 around\n"
				    "3004 4 late\n");

	CHECK_STR(jit_map_find(map, 0x1000), "old");
	CHECK_STR(jit_map_find(map, 0x1040), "inner");
	CHECK_STR(jit_map_find(map, 0x1060), "old");
	CHECK_STR(jit_map_find(map, 0x2008), "second");
	CHECK_STR(jit_map_find(map, 0x3000), "around");
	CHECK_STR(jit_map_find(map, 0x3005), "late");
	CHECK_STR(jit_map_find(map, 0x3008), "around");
	jit_map_free(map);
}

TEST(jit, sweep_equals_a_plain_search_from_the_end)
{
	enum { LINES = 300, SPACE = 1000 };
	unsigned start[LINES], size[LINES], r = 7;
	char text[LINES * 32] = "", name[16];
	struct jit_map *map;
	size_t len = 0;

	for (int i = 0; i < LINES; i++) {
		start[i] = (r = r * 1103515245 + 12345) >> 8 & 0x3ff;
		size[i] = 1 + ((r = r * 1103515245 + 12345) >> 8) % 60;
		len += (size_t)sprintf(text + len, "%x %x n%d\n", start[i], size[i], i);
	}
	map = parse(text);
	for (unsigned at = 0; at < SPACE; at++) {
		const char *want = NULL;

		for (int i = 0; i < LINES; i++) {
			if (at >= start[i] && at - start[i] < size[i]) {
				snprintf(name, sizeof(name), "n%d", i);
				want = name;
			}
		}
		CHECK_STR(jit_map_find(map, at), want);
	}
	jit_map_free(map);
}

TEST(jit, lines_that_do_not_parse_are_skipped)
{
	struct jit_map *map = parse("\n \nx y z\n1000\n1000 \n1000 10\n1000 10 \n1000 0 empty\n"
				    "ffffffffffffffff 10 wraps\n11112222333344445 1 long\n"
				    "4000 10 good\n5000 10 cut");

	CHECK(!jit_map_find(map, 0x1000));
	CHECK(!jit_map_find(map, 0x5000));
	CHECK_STR(jit_map_find(map, 0x4000), "good");
	jit_map_free(map);
}

static int open_root(void)
{
	int fd = open(fixture_dir(), O_PATH | O_DIRECTORY | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK(!mkdir(fixture_path("tmp"), 0755));
	return fd;
}

TEST(jit, reads_a_plain_file_of_the_user)
{
	int root = open_root();
	struct jit_map *map;

	CHECK_INT(jit_map_read(root, 7, getuid(), &map), -ENOENT);
	CHECK_INT(jit_map_read(-1, 7, getuid(), &map), -ENOENT);
	fixture_write("tmp/perf-7.map", "10 10 f\n", 8);
	CHECK_INT(jit_map_read(root, 7, getuid(), &map), 0);
	CHECK_STR(jit_map_find(map, 0x10), "f");
	CHECK(!jit_map_is_cut(map));
	jit_map_free(map);
	close(root);
}

TEST(jit, refuses_symlinks_and_special_files)
{
	int root = open_root();
	struct jit_map *map;

	fixture_write("secret", "10 10 f\n", 8);
	CHECK(!symlink("../secret", fixture_path("tmp/perf-7.map")));
	CHECK_INT(jit_map_read(root, 7, getuid(), &map), -EPERM);
	CHECK(!mkfifo(fixture_path("tmp/perf-8.map"), 0600));
	CHECK_INT(jit_map_read(root, 8, getuid(), &map), -EPERM);
	CHECK(!mkdir(fixture_path("tmp/perf-9.map"), 0700));
	CHECK_INT(jit_map_read(root, 9, getuid(), &map), -EPERM);
	close(root);
}

TEST(jit, refuses_files_of_other_users)
{
	int root = open_root();
	struct jit_map *map;

	if (getuid())
		unit_skip("only root can give files away");
	fixture_write("tmp/perf-7.map", "10 10 f\n", 8);
	CHECK(!chown(fixture_path("tmp/perf-7.map"), 4711, 4711));
	CHECK_INT(jit_map_read(root, 7, 1234, &map), -EPERM);
	CHECK_INT(jit_map_read(root, 7, 4711, &map), 0);
	jit_map_free(map);
	close(root);
}
