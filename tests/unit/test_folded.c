/* SPDX-License-Identifier: Apache-2.0 */
/* Folded stacks: what every reader of the format accepts, and nothing else. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "format_fixture.h"

static void check_folded(const struct format_options *opt, const char *want)
{
	struct profile *p = fixture_profile();
	char *have = written(p, &format_folded, opt);

	CHECK_STR(have, want);
	free(have);
	profile_free(p);
}

TEST(folded, cpu_profiles_count_samples_by_default)
{
	check_folded(NULL, "main;[libfoo.so] 1\n"
			   "main;work 2\n"
			   "main;work;inlined<int>(int) 3\n"
			   "main;work;work;do_syscall 4\n");
}

TEST(folded, sample_type_can_be_chosen)
{
	check_folded(&(struct format_options){.sample_type = "cpu"},
		     "main;[libfoo.so] 10000000\n"
		     "main;work 20000000\n"
		     "main;work;inlined<int>(int) 30000000\n"
		     "main;work;work;do_syscall 40000000\n");
}

TEST(folded, annotations_tell_kernel_and_inlined)
{
	check_folded(&(struct format_options){.annotate = true},
		     "main;[libfoo.so] 1\n"
		     "main;work 2\n"
		     "main;work;inlined<int>(int)_[i] 3\n"
		     "main;work;work;do_syscall_[k] 4\n");
}

TEST(folded, label_can_be_the_root)
{
	check_folded(&(struct format_options){.root_label = "thread"},
		     "[unknown];main;[libfoo.so] 1\n"
		     "[unknown];main;work;work;do_syscall 4\n"
		     "a;main;work;inlined<int>(int) 3\n"
		     "b;main;work 2\n");
	check_folded(&(struct format_options){.root_label = "tid"},
		     "7;main;[libfoo.so] 1\n"
		     "[unknown];main;work 2\n"
		     "[unknown];main;work;inlined<int>(int) 3\n"
		     "[unknown];main;work;work;do_syscall 4\n");
	check_folded(&(struct format_options){.root_label = "nowhere"},
		     "[unknown];main;[libfoo.so] 1\n"
		     "[unknown];main;work 2\n"
		     "[unknown];main;work;inlined<int>(int) 3\n"
		     "[unknown];main;work;work;do_syscall 4\n");
}

TEST(folded, unknown_sample_type_says_what_there_is)
{
	struct profile *p = fixture_profile();
	const struct sink full = {.write = full_sink_write};
	struct error err = {0};

	CHECK_INT(format_folded.write(p, &(struct format_options){.sample_type = "delay"}, &full,
				      &err),
		  -ENOENT);
	CHECK_STR(err.text, "the profile has no sample type \"delay\", only: samples, cpu");
	CHECK_INT(format_folded.write(p, NULL, &full, &err), -ENOSPC);
	profile_free(p);
}

/* Makes one location for each name and one sample for each location. */
static struct profile *named(const char *const *names, size_t n)
{
	const s64 value = 1;
	struct profile *p;

	CHECK_INT(profile_new(&p), 0);
	CHECK_INT(profile_add_sample_type(p, "samples", "count"), 0);
	CHECK_INT(profile_add_mapping(p, &(struct profile_mapping){0}), 0);
	for (size_t i = 0; i < n; i++) {
		s64 f = profile_function(p, names[i], names[i], "", 0);
		s64 l = profile_location(p, 0, i);
		const struct profile_line line = {.function = (u32)f};
		const u32 leaf = (u32)l;

		CHECK_INT(profile_location_set_lines(p, leaf, &line, 1), 0);
		CHECK_INT(profile_add_sample(p, &leaf, 1, &value, NULL, 0), 0);
	}
	return p;
}

TEST(folded, names_cannot_break_the_form)
{
	static const char *const names[] = {
		"a;b", "new\nline\r\ttab", "  spaces  ", "", " ", "\x7f\x01", "100%", "x\xff",
	};
	struct profile *p = named(names, ARRAY_LEN(names));
	char *have = written(p, &format_folded, NULL);

	CHECK_STR(have, "100% 1\n"
			"[unknown] 2\n"
			"\\x7f\\x01 1\n"
			"a:b 1\n"
			"new\\nline\\r\\ttab 1\n"
			"spaces 1\n"
			"x\xef\xbf\xbd 1\n");
	free(have);
	profile_free(p);
}

/* The names are prefixes of each other, followed by what sorts before ' ' + 1 and ';'. */
TEST(folded, lines_are_in_byte_order)
{
	static const char *const names[] = {"f",  "f(int)", "f x",  "f~", "fa",      "F",
					    "f0", "f:",     "f<g>", "_f", "\xc3\xa9"};
	struct profile *p = named(names, ARRAY_LEN(names));
	char *have, *line, *last = NULL, *rest;
	const s64 value = 1;

	for (u32 i = 0; i < ARRAY_LEN(names); i++) {
		for (u32 k = 0; k < ARRAY_LEN(names); k++)
			CHECK_INT(profile_add_sample(p, (u32[]){k, i}, 2, &value, NULL, 0), 0);
	}
	have = written(p, &format_folded, NULL);
	for (line = strtok_r(have, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (last && strcmp(last, line) >= 0)
			unit_fail(__FILE__, __LINE__, "\"%s\" before \"%s\"", last, line);
		last = line;
	}
	free(have);
	profile_free(p);
}

TEST(folded, stack_without_frames_has_a_name)
{
	struct profile *p;
	const s64 value = 3;
	char *have;

	CHECK_INT(profile_new(&p), 0);
	CHECK_INT(profile_add_sample_type(p, "samples", "count"), 0);
	have = written(p, &format_folded, NULL);
	CHECK_STR(have, "");
	free(have);
	CHECK_INT(profile_add_sample(p, NULL, 0, &value, NULL, 0), 0);
	have = written(p, &format_folded, NULL);
	CHECK_STR(have, "[unknown] 3\n");
	free(have);
	profile_free(p);
}
