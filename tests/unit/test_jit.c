/* SPDX-License-Identifier: Apache-2.0 */
/* Perf maps: overlaps, odd names, and files that are not what they seem. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"
#include "short_memory.h"
#include "symbol/jit.h"
#include "unit.h"

static int file_of(const char *text, size_t len)
{
	int fd = memfd_create("map", MFD_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_INT(write(fd, text, len), len);
	return fd;
}

static struct budget *fresh_budget(void)
{
	static struct budget budget;

	budget_init(&budget, 0);
	return &budget;
}

/* Checks the name of the one address by the lines of `text`. */
static void check_name(const char *text, u64 address, const char *want)
{
	int fd = file_of(text, strlen(text));
	struct jit_names *names;

	CHECK_INT(jit_names_scan(fd, fresh_budget(), &address, 1, &names), 0);
	CHECK_STR(jit_names_at(names, 0), want);
	CHECK(!jit_names_are_cut(names));
	jit_names_free(names);
	close(fd);
}

TEST(jit, finds_names_with_spaces_and_any_bytes)
{
	static const char text[] = "7f00 20 LazyCompile:~run /app/x.js:3\n"
				   "0x8000 0x10 \xff\x01 odd\n"
				   "ffffffffffffff00 ff the end\n";

	check_name(text, 0x7f00, "LazyCompile:~run /app/x.js:3");
	check_name(text, 0x7f1f, "LazyCompile:~run /app/x.js:3");
	check_name(text, 0x7f20, NULL);
	check_name(text, 0x7eff, NULL);
	check_name(text, 0x8001, "\xff\x01 odd");
	check_name(text, UINT64_MAX - 1, "the end");
	check_name(text, UINT64_MAX, NULL);
	check_name("", 1, NULL);
}

TEST(jit, the_last_of_overlapping_lines_wins)
{
	static const char text[] = "1000 100 old\n"
				   "1040 20 inner\n"
				   "2000 10 first\n"
				   "2000 20 second\n"
				   "3000 10 kept\n"
				   "2ff0 100 around\n"
				   "3004 4 late\n";
	static const u64 addresses[] = {0x1000, 0x1040, 0x1060, 0x2008, 0x3000, 0x3005, 0x3008};
	static const char *const want[] = {"old",    "inner", "old",   "second",
					   "around", "late",  "around"};
	int fd = file_of(text, sizeof(text) - 1);
	struct jit_names *names;

	CHECK_INT(jit_names_scan(fd, fresh_budget(), addresses, ARRAY_LEN(addresses), &names), 0);
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
		CHECK_STR(jit_names_at(names, i), want[i]);
	jit_names_free(names);
	close(fd);
}

/* Uses `n` addresses at every third place, because the tree has another shape for each number. */
static void check_like_plain_search(size_t n)
{
	enum { LINES = 300 };
	unsigned start[LINES], size[LINES], r = 7;
	char text[LINES * 32] = "", name[16];
	struct jit_names *names;
	size_t len = 0;
	u64 *addresses = malloc(n * sizeof(*addresses) + 1);
	int fd;

	CHECK(addresses);
	for (int i = 0; i < LINES; i++) {
		start[i] = (r = r * 1103515245 + 12345) >> 8 & 0x3ff;
		size[i] = 1 + ((r = r * 1103515245 + 12345) >> 8) % 60;
		len += (size_t)sprintf(text + len, "%x %x n%d\n", start[i], size[i], i);
	}
	for (size_t i = 0; i < n; i++)
		addresses[i] = 3 * i;
	fd = file_of(text, len);
	CHECK_INT(jit_names_scan(fd, fresh_budget(), addresses, n, &names), 0);
	for (size_t at = 0; at < n; at++) {
		const char *want = NULL;

		for (int i = 0; i < LINES; i++) {
			if (addresses[at] >= start[i] && addresses[at] - start[i] < size[i]) {
				snprintf(name, sizeof(name), "n%d", i);
				want = name;
			}
		}
		CHECK_STR(jit_names_at(names, at), want);
	}
	jit_names_free(names);
	free(addresses);
	close(fd);
}

TEST(jit, as_a_plain_search_from_the_end_finds_them)
{
	for (size_t n = 0; n < 40; n++)
		check_like_plain_search(n);
	check_like_plain_search(256);
	check_like_plain_search(341);
}

TEST(jit, lines_that_do_not_parse_are_skipped)
{
	static const char text[] =
		"\n \nx y z\n1000\n1000 \n1000 10\n1000 10 \n1000 0 empty\n"
		"ffffffffffffffff 10 wraps\n11112222333344445 1 long\n"
		"00000000000004000 1 seventeen digits\n4000 10 good\n5000 10 cut";

	check_name(text, 0x1000, NULL);
	check_name(text, 0x5000, NULL);
	check_name(text, UINT64_MAX, NULL);
	check_name(text, 0x1112222333344445, NULL);
	check_name(text, 0x4000, "good");
}

TEST(jit, lines_across_the_buffers_edge_and_beyond_its_size)
{
	enum { HUGE = 200000, EDGE = 65536 };
	char *text = malloc(HUGE + 100);

	CHECK(text);
	for (int shift = -30; shift <= 2; shift++) {
		memset(text, '\n', HUGE);
		strcpy(text + EDGE + shift, "4000 10 on the edge\n5000 10 next\n");
		check_name(text, 0x4000, "on the edge");
		check_name(text, 0x500f, "next");
	}
	memset(text, 'x', HUGE);
	memcpy(text, "4000 10 ", 8);
	strcpy(text + HUGE, "\n5000 10 after\n");
	check_name(text, 0x4000, NULL);
	check_name(text, 0x5000, "after");
	free(text);
}

TEST(jit, long_names_are_whole)
{
	static char text[60000];
	u64 address = 0x11112222333344f0;
	struct jit_names *names;
	int fd;

	memset(text, 'x', sizeof(text));
	memcpy(text, "0x11112222333344f0 0x0000000000000010 ", 38);
	text[sizeof(text) - 1] = '\n';
	fd = file_of(text, sizeof(text));
	CHECK_INT(jit_names_scan(fd, fresh_budget(), &address, 1, &names), 0);
	CHECK_INT(strlen(jit_names_at(names, 0)), sizeof(text) - 38 - 1);
	jit_names_free(names);
	close(fd);
}

/* A map of 30 MB costs no more memory than the wanted names. */
TEST(jit, a_large_map_costs_little_memory)
{
	u64 addresses[] = {0x10, 0x20, 0x7fff0000};
	struct rusage before, after;
	struct jit_names *names;
	int fd = open(fixture_write("map", "", 0), O_RDWR | O_CLOEXEC);
	FILE *f = fdopen(dup(fd), "w");

	CHECK(f);
	fputs("10 8 first\n", f);
	for (u64 i = 0; i < 400000; i++)
		fprintf(f,
			"%llx 40 LazyCompile:~function%llu "
			"/srv/app/module/of/some/package.js:%llu\n",
			(unsigned long long)(0x100000 + i * 64), (unsigned long long)i,
			(unsigned long long)i);
	fputs("7fff0000 1 last\n", f);
	CHECK_INT(fclose(f), 0);
	getrusage(RUSAGE_SELF, &before);
	CHECK_INT(jit_names_scan(fd, fresh_budget(), addresses, ARRAY_LEN(addresses), &names), 0);
	getrusage(RUSAGE_SELF, &after);
	CHECK_STR(jit_names_at(names, 0), "first");
	CHECK_STR(jit_names_at(names, 1), NULL);
	CHECK_STR(jit_names_at(names, 2), "last");
	CHECK(after.ru_maxrss - before.ru_maxrss < 2 << 10);
	jit_names_free(names);
	close(fd);
}

TEST(jit, what_lies_beyond_the_bound_is_said_to_be_cut)
{
	int fd = file_of("10 8 first\n", 11);
	struct jit_names *names;
	u64 address = 0x10;

	CHECK_INT(pwrite(fd, "\n10 8 beyond\n", 13, JIT_MAP_MAX + (1 << 20)), 13);
	CHECK_INT(jit_names_scan(fd, fresh_budget(), &address, 1, &names), 0);
	CHECK(jit_names_are_cut(names));
	CHECK_STR(jit_names_at(names, 0), "first");
	jit_names_free(names);
	close(fd);
}

TEST(jit, memory_that_runs_out_is_an_error)
{
	int fd = file_of("10 8 a\n20 8 b\n", 14), code = -ENOMEM;
	struct jit_names *names;
	u64 addresses[] = {0x10, 0x20};

	for (long n = 0; code; n++) {
		short_memory_after(n);
		code = jit_names_scan(fd, fresh_budget(), addresses, 2, &names);
		short_memory_after(-1);
		CHECK(!code || code == -ENOMEM);
	}
	CHECK_STR(jit_names_at(names, 1), "b");
	jit_names_free(names);
	close(fd);
}

static struct target_root open_root(uid_t uid)
{
	struct target_root root = {.user = {.uid = uid, .gid = getgid()}};

	CHECK(!chmod(fixture_dir(), 0755));
	root.fd = open(fixture_dir(), O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(root.fd >= 0);
	CHECK(!mkdir(fixture_path("tmp"), 0755));
	return root;
}

TEST(jit, reads_a_plain_file_of_the_user)
{
	struct target_root root = open_root(getuid());
	const struct target_root none = TARGET_ROOT_NONE;
	struct jit_names *names;
	u64 address = 0x10;

	CHECK_INT(jit_names_read(&root, (struct inner_pid){7}, fresh_budget(), &address, 1, &names),
		  -ENOENT);
	CHECK_INT(jit_names_read(&none, (struct inner_pid){7}, fresh_budget(), &address, 1, &names),
		  -ENOENT);
	fixture_write("tmp/perf-7.map", "10 10 f\n", 8);
	CHECK_INT(jit_names_read(&root, (struct inner_pid){7}, fresh_budget(), &address, 1, &names),
		  0);
	CHECK_STR(jit_names_at(names, 0), "f");
	CHECK(!jit_names_are_cut(names));
	jit_names_free(names);
	target_root_release(&root);
}

TEST(jit, refuses_symlinks_and_special_files)
{
	struct target_root root = open_root(getuid());
	struct jit_names *names;
	u64 address = 0x10;

	fixture_write("secret", "10 10 f\n", 8);
	CHECK(!symlink("../secret", fixture_path("tmp/perf-7.map")));
	CHECK_INT(jit_names_read(&root, (struct inner_pid){7}, fresh_budget(), &address, 1, &names),
		  -EPERM);
	CHECK(!mkfifo(fixture_path("tmp/perf-8.map"), 0600));
	CHECK_INT(jit_names_read(&root, (struct inner_pid){8}, fresh_budget(), &address, 1, &names),
		  -EPERM);
	CHECK(!mkdir(fixture_path("tmp/perf-9.map"), 0700));
	CHECK_INT(jit_names_read(&root, (struct inner_pid){9}, fresh_budget(), &address, 1, &names),
		  -EPERM);
	fixture_run("ln secret tmp/perf-10.map");
	CHECK_INT(
		jit_names_read(&root, (struct inner_pid){10}, fresh_budget(), &address, 1, &names),
		-EPERM);
	target_root_release(&root);
}

TEST(jit, refuses_files_of_other_users)
{
	struct target_root root = open_root(getuid());
	struct jit_names *names;
	u64 address = 0x10;

	if (getuid())
		unit_skip("only root can give files away");
	fixture_write("tmp/perf-7.map", "10 10 f\n", 8);
	CHECK(!chown(fixture_path("tmp/perf-7.map"), 4711, 4711));
	root.user.uid = 1234;
	CHECK_INT(jit_names_read(&root, (struct inner_pid){7}, fresh_budget(), &address, 1, &names),
		  -EPERM);
	root.user.uid = 4711;
	CHECK_INT(jit_names_read(&root, (struct inner_pid){7}, fresh_budget(), &address, 1, &names),
		  0);
	jit_names_free(names);
	/* Its owner may not read it, so nothing is read on its behalf. */
	CHECK(!chmod(fixture_path("tmp/perf-7.map"), 0));
	CHECK_INT(jit_names_read(&root, (struct inner_pid){7}, fresh_budget(), &address, 1, &names),
		  -EACCES);
	target_root_release(&root);
}

static bool stop_at_once(void *arg)
{
	return true;
}

TEST(jit, a_map_ends_with_its_budget)
{
	const struct budget_watch watch = {.stop = stop_at_once};
	int fd = file_of("10 8 a\n20 8 b\n", 14);
	struct budget budget;
	struct jit_names *names;
	u64 addresses[] = {0x10, 0x20};

	budget_init(&budget, 0);
	budget_limit(&budget, 1000, 1 << 20);
	CHECK_INT(jit_names_scan(fd, &budget, addresses, 2, &names), -E2BIG);
	CHECK_INT(budget_lost(&budget, BUDGET_NAMES), BUDGET_STEPS);
	budget_init(&budget, 0);
	budget_watch(&budget, &watch);
	CHECK_INT(jit_names_scan(fd, &budget, addresses, 2, &names), -E2BIG);
	CHECK_INT(budget_lost(&budget, BUDGET_NAMES), BUDGET_STOPPED);
	close(fd);
}
