/* SPDX-License-Identifier: Apache-2.0 */
/* The table of top functions, its units and its shortened names, compared with go tool pprof's own
 * table. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/short_name.h"
#include "format/units.h"
#include "format_fixture.h"

static const char fixture_rows[] =
	"      40ms 40.00% 40.00%       40ms 40.00%  do_syscall\n"
	"      30ms 30.00% 70.00%       30ms 30.00%  inlined<int>(int) (inline)\n"
	"      20ms 20.00% 90.00%       90ms 90.00%  work\n"
	"      10ms 10.00%   100%       10ms 10.00%  [libfoo.so]\n"
	"         0     0%   100%      100ms   100%  main\n";

TEST(text, rows_add_up)
{
	struct profile *p = fixture_profile();
	char *have = written(p, &format_text, &(struct format_options){.width = 80}), *rows;

	CHECK(!strncmp(have, "cprof cpu: demo (PID 7)\nType: cpu\nTime: 2023-11-1", 49));
	CHECK(strstr(have, "Duration: 5s, Total: 100ms (2.00%)\n"));
	CHECK(strstr(have, "Showing 5 of 5 functions: 100ms, 100% of the total\n"));
	rows = strstr(have, "function\n");
	CHECK(rows != NULL);
	CHECK_STR(rows + 9, fixture_rows);
	free(have);
	profile_free(p);
}

TEST(text, top_limits_rows_and_says_what_they_cover)
{
	struct profile *p = fixture_profile();
	char *have = written(p, &format_text, &(struct format_options){.top = 2});

	CHECK(strstr(have, "Showing 2 of 5 functions: 70ms, 70.00% of the total\n"));
	CHECK(strstr(have, "inlined<int>(int)"));
	CHECK(!strstr(have, "work"));
	free(have);
	profile_free(p);
}

TEST(text, counts_have_no_unit)
{
	struct profile *p = fixture_profile();
	char *have = written(p, &format_text, &(struct format_options){.sample_type = "samples"});

	CHECK(strstr(have, "Total: 10\n"));
	CHECK(strstr(have, "         4 40.00% 40.00%          4 40.00%  do_syscall\n"));
	free(have);
	profile_free(p);
}

TEST(text, colour_only_on_demand)
{
	struct profile *p = fixture_profile();
	char *plain = written(p, &format_text, NULL);
	char *color = written(p, &format_text, &(struct format_options){.color = true});

	CHECK(!strchr(plain, '\033'));
	CHECK(strchr(color, '\033'));
	free(plain);
	free(color);
	profile_free(p);
}

TEST(text, empty_profile_has_a_head_only)
{
	struct profile *p;
	char *have;

	CHECK_INT(profile_new(&p), 0);
	CHECK_INT(profile_add_sample_type(p, "cpu", "nanoseconds"), 0);
	have = written(p, &format_text, NULL);
	CHECK(strstr(have, "Total: 0\nShowing 0 of 0 functions: 0, 0% of the total\n"));
	free(have);
	profile_free(p);
}

/* go tool pprof prints the same flat and cum values and shares of every function for the same
 * profile. */
TEST(text, numbers_are_those_of_go_tool_pprof)
{
	struct profile *p = fixture_profile();
	char dir[] = "/tmp/cprof-unit-XXXXXX", path[64], command[256], line[512], *rows;
	struct error err = {0};
	size_t found = 0;
	FILE *f;

	if (system("command -v go >/dev/null 2>&1"))
		unit_skip("no go");
	CHECK(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/p.pb.gz", dir);
	CHECK_INT(format_write_file(p, &format_pprof, NULL, path, &err), 0);
	snprintf(command, sizeof(command),
		 "HOME=%s PPROF_TMPDIR=%s go tool pprof -symbolize=none -top %s 2>/dev/null", dir,
		 dir, path);
	f = popen(command, "r");
	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f)) {
		rows = strstr(fixture_rows, line);
		found += rows && (rows == fixture_rows || rows[-1] == '\n');
	}
	pclose(f);
	unlink(path);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	CHECK_INT(system(command), 0);
	CHECK_INT(found, 5);
	profile_free(p);
}

static void check_units(const char *unit, u64 smallest, u64 total, s64 value, const char *want)
{
	struct unit_scale s = unit_scale_pick(unit, smallest, total);
	char have[64];

	unit_format(&s, value, have, sizeof(have));
	CHECK_STR(have, want);
}

TEST(text, units_suit_the_column)
{
	check_units("nanoseconds", 5, 900, 900, "900ns");
	check_units("nanoseconds", 1500, 90000, 1500, "1.50us");
	check_units("nanoseconds", 10000000, 990000000, 990000000, "990ms");
	check_units("nanoseconds", 10000000, 9900000000, 9900000000, "9.90s");
	check_units("nanoseconds", 10000000, 9900000000, 10000000, "0.01s");
	check_units("nanoseconds", 10000000, 9900000000, 0, "0");
	check_units("bytes", 1024, 4096, 4096, "4kB");
	check_units("bytes", 1, 3u << 30, 3u << 30, "3221225472B");
	check_units("bytes", 1u << 20, 3u << 30, 3u << 30, "3072MB");
	check_units("count", 1, 1000000, 123456, "123456");
	check_units("cycles", 1, 1000000, 42, "42cycles");
}

static void check_percent(s64 value, s64 total, const char *want)
{
	char have[32];

	unit_percent(value, total, have, sizeof(have));
	CHECK_STR(have, want);
}

TEST(text, shares)
{
	check_percent(1, 1, "  100%");
	check_percent(9996, 10000, "  100%");
	check_percent(50, 100, "50.00%");
	check_percent(1, 200, "  0.5%");
	check_percent(0, 0, "    0%");
	check_percent(-1, 2, "-50.00%");
}

static void check_name(const char *name, size_t columns, const char *want)
{
	char have[512];

	short_name(name, columns, have, sizeof(have));
	CHECK_STR(have, want);
}

TEST(text, names_are_shortened_where_it_hurts_least)
{
	check_name("short", 36, "short");
	check_name("ns::f(std::string const&, unsigned long)", 36, "ns::f");
	check_name("ns::f(std::string const&, unsigned long) const", 36, "ns::f");
	check_name("std::map<std::string, std::vector<int>>::find(std::string const&)", 36,
		   "std::map<...>::find");
	check_name("<alloc::vec::Vec<some::very::Long> as core::ops::Drop>::drop", 50,
		   "<alloc::vec::Vec<...> as core::ops::Drop>::drop");
	check_name("(anonymous namespace)::do_the_work(int, char const*, long)", 40,
		   "(anonymous namespace)::do_the_work");
	check_name("main.(*VeryLongReceiverTypeName).Method", 20, "main....Name).Method");
	check_name("a_very_long_plain_c_function_name_without_any_type", 20,
		   "a_ver...out_any_type");
	check_name("std::__cxx11::basic_string<char, std::allocator<char> >::compare(char)", 30,
		   "basic_string<...>::compare");
	check_name("core::iter::traits::iterator::Iterator::fold", 20, "Iterator::fold");
	check_name("f()", 2, "f");
	check_name("", 10, "");
	check_name("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 8,
		   "\xc3\xa9...\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9");
	check_name("unbalanced<<<>(((((", 10, "un...(((((");
	check_name(")", 0, ")");
	check_name(")))))))))))))))))", 6, ")...))");
}

TEST(text, shortened_names_fit)
{
	static const char alphabet[] = "ab<>():,&* -o";
	u64 random = 7;
	char name[200], out[256];

	for (int round = 0; round < 20000; round++) {
		size_t len = 1 + (random >> 40) % (sizeof(name) - 1), columns;

		for (size_t i = 0; i < len; i++) {
			random = random * 6364136223846793005ull + 1442695040888963407ull;
			name[i] = alphabet[(random >> 33) % (sizeof(alphabet) - 1)];
		}
		name[len - 1] = '\0';
		columns = 5 + (random >> 20) % 60;
		short_name(name, columns, out, sizeof(out));
		CHECK(strlen(out) <= (strlen(name) > columns ? columns : strlen(name)));
	}
}

TEST(text, large_table)
{
	struct profile *p = large_profile(8000, 8000);
	char *have = written(p, &format_text, &(struct format_options){.width = 80}), *line, *rest;

	strtok_r(have, "\n", &rest);
	while ((line = strtok_r(NULL, "\n", &rest)))
		CHECK(strlen(line) <= 80);
	free(have);
	profile_free(p);
}
