/* SPDX-License-Identifier: Apache-2.0 */
/* The list of leaks. */
#include "format/leaks.h"

#include <stdlib.h>
#include <string.h>

#include "format_fixture.h"
#include "profile/labels.h"
#include "unit.h"

static struct profile_label number(struct profile *p, const char *key, s64 num)
{
	return (struct profile_label){.key = (string_id)profile_string(p, key), .num = num};
}

static u32 location(struct profile *p, const char *name, const char *file, s64 line)
{
	struct profile_mapping m = {.kind = PROFILE_MAPPING_FILE};
	struct profile_line one = {.function = (u32)profile_function(p, name, name, file, 1),
				   .line = line};
	u32 at = (u32)profile_location(p, (u32)profile_add_mapping(p, &m), 0x1000);

	CHECK_INT(profile_location_set_lines(p, at, &one, 1), 0);
	return at;
}

static void sample(struct profile *p, const u32 *stack, u32 n, s64 size, s64 live, s64 age_ms,
		   bool growing)
{
	struct profile_label labels[5] = {number(p, "bytes", size), number(p, LABEL_OLDEST, age_ms),
					  number(p, LABEL_YOUNGEST, 200),
					  number(p, LABEL_GROWTH, live * size / 2)};
	const s64 values[] = {live + 1, (live + 1) * size, live, live * size};

	labels[4] =
		(struct profile_label){.key = (string_id)profile_string(p, LABEL_TREND),
				       .str = (string_id)profile_string(p, LABEL_TREND_GROWING)};
	CHECK_INT(profile_add_sample(p, stack, n, values, labels, growing ? 5 : 4), 0);
}

static struct profile *leaky(void)
{
	static const char *const types[][2] = {{"alloc_objects", "count"},
					       {"alloc_space", "bytes"},
					       {"inuse_objects", "count"},
					       {"inuse_space", "bytes"}};
	struct profile *p;
	u32 in_parse[2], in_main;

	CHECK_INT(profile_new(&p), 0);
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		CHECK_INT(profile_add_sample_type(p, types[i][0], types[i][1]), 0);
	in_parse[0] = location(p, "parse", "/src/parse.c", 7);
	in_parse[1] = in_main = location(p, "main", "/src/main.c", 70);
	sample(p, in_parse, 2, 1024, 3, 61500, true); /* two sizes, one stack */
	sample(p, in_parse, 2, 2048, 2, 61500, true);
	sample(p, &in_main, 1, 100, 1, 900, false);
	sample(p, &in_main, 1, 64, 0, 900, false); /* all freed */
	return p;
}

TEST(leaks, sizes_of_a_stack_are_one_entry_and_the_heaviest_is_first)
{
	struct profile *p = leaky();
	char *have = written(p, &format_leaks, &(struct format_options){.width = 80});
	static const char frames[] = "          parse  parse.c:7\n"
				     "          main  main.c:70\n";
	const char *first, *second;

	CHECK(strstr(have, "alive at its end: 7.10kB in 6 blocks\n"));
	CHECK(strstr(have, "Showing 2 of 2 stacks\n"));
	first = strstr(have, "       7kB          5");
	second = strstr(have, "      100B          1");
	CHECK(first && second && first < second);
	CHECK(!strncmp(strchr(first, '\n') + 1, frames, strlen(frames)));
	free(have);
	profile_free(p);
}

TEST(leaks, ages_growth_and_trend)
{
	struct profile *p = leaky();
	char *have = written(p, &format_leaks, NULL), *second;

	CHECK(strstr(have, "     61.5s      0.2s  only ever grew\n"));
	second = strstr(have, "      100B");
	CHECK(second && strstr(second, "0.9s      0.2s\n"));
	free(have);
	profile_free(p);
}

TEST(leaks, top_limits_stacks)
{
	struct profile *p = leaky();
	char *have = written(p, &format_leaks, &(struct format_options){.top = 1});

	CHECK(strstr(have, "Showing 1 of 2 stacks\n"));
	CHECK(!strstr(have, "      100B"));
	free(have);
	profile_free(p);
}

TEST(leaks, other_profiles_have_none)
{
	struct profile *p = fixture_profile();
	struct memory m = {0};
	struct sink to = memory_sink(&m);
	struct error err = {0};

	CHECK(format_leaks.write(p, NULL, &to, &err) < 0);
	CHECK(strstr(err.text, "inuse_space"));
	free(m.data);
	profile_free(p);
}

TEST(leaks, names_files_and_comments_do_not_act_on_the_terminal)
{
	struct profile *p = leaky();
	u32 odd = location(p, "f\x1b[2J\xc2\x9b", "/x/\x1b]0;y\a.c", 1);
	char *have;

	sample(p, &odd, 1, 4096, 4, 100, true);
	CHECK(profile_add_comment(p, "%s",
				  "\xe2\x80\xae"
				  "comment\n") >= 0);
	have = written(p, &format_leaks, &(struct format_options){.width = 80});
	CHECK(strstr(have, "\\u202ecomment\\n\n"));
	CHECK(strstr(have, "          f\\x1b[2J\\u009b  \\x1b]0;y\\x07.c:1\n"));
	CHECK(!strpbrk(have, "\x1b\a\x9b"));
	free(have);
	profile_free(p);
}
