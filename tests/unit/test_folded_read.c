/* SPDX-License-Identifier: Apache-2.0 */
/* Reading folded stacks. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/align_counts.h"
#include "format/read.h"
#include "format_fixture.h"
#include "profile/merge.h"

static int read_text(const char *text, struct profile **p, struct error *err)
{
	return format_read_bytes((struct bytes){(const u8 *)text, strlen(text)}, NULL, p, err);
}

static void check_read(const char *text, const struct format_options *opt, const char *want)
{
	struct error err = {0};
	struct profile *p;
	char *have;

	if (read_text(text, &p, &err))
		unit_fail(__FILE__, __LINE__, "not read: %s", err.text);
	have = written(p, &format_folded, opt);
	CHECK_STR(have, want);
	free(have);
	profile_free(p);
}

TEST(folded_read, round_trip)
{
	static const char text[] = "main;a 1\nmain;a;b 2\nmain;operator new(unsigned long) 3\n";

	check_read(text, NULL, text);
}

TEST(folded_read, annotations_survive)
{
	static const char text[] = "main;do_syscall_[k] 4\nmain;js_[j] 2\n";

	check_read(text, &(struct format_options){.annotate = true}, text);
	check_read(text, NULL, "main;do_syscall 4\nmain;js 2\n");
}

TEST(folded_read, equal_stacks_add_up)
{
	check_read("a;b 1\r\na;b 2\n\n# comment\na;b 4", NULL, "a;b 7\n");
}

TEST(folded_read, fractions_are_kept)
{
	struct profile *p;

	check_read("a 1.6\nb 3.2\n", NULL, "a 1.6\nb 3.2\n");
	check_read("a 0.4\nb .35\nc 0.250\n", NULL, "a 0.4\nb 0.35\nc 0.25\n");
	check_read("a 1e3\nb 2.5e+01\nc 1e-1\n", NULL, "a 1000\nb 25\nc 0.1\n");
	check_read("a 0.30000000000000004\nb 7\n", NULL, "a 0.3\nb 7\n");
	CHECK_INT(read_text("a 0.4\nb 0.6\n", &p, NULL), 0);
	CHECK_STR(profile_text(p, p->sample_types.data[0].unit), "microcount");
	CHECK_INT(p->values.data[0], 400000);
	profile_free(p);
}

TEST(folded_read, large_counts_with_fractions_lose_places)
{
	check_read("a 1000000000000.25\nb 1\n", NULL, "a 1000000000000.25\nb 1\n");
	check_read("a 9000000000000.25\nb 500000000000000\n", NULL,
		   "a 9000000000000.25\nb 500000000000000\n");
	check_read("a 8000000000000000000.5\n", NULL, "a 8000000000000000001\n");
}

TEST(folded_read, fractions_and_integers_have_one_unit_together)
{
	struct profile *list[2], *merged;
	char *have;

	CHECK_INT(read_text("a 0.5\nb 2\n", &list[0], NULL), 0);
	CHECK_INT(read_text("a 3\nc 1\n", &list[1], NULL), 0);
	CHECK_INT(counts_align(list, 2), 0);
	CHECK_INT(list[1]->values.data[0], 3000000);
	CHECK_INT(profile_merge((const struct profile *const *)list, 2, &merged, NULL), 0);
	have = written(merged, &format_folded, NULL);
	CHECK_STR(have, "a 3.5\nb 2\nc 1\n");
	free(have);
	profile_free(merged);
	profile_free(list[0]);
	profile_free(list[1]);
}

TEST(folded_read, integers_are_exact)
{
	check_read("a 9007199254740993\nb 1e2\n", NULL, "a 9007199254740993\nb 100\n");
}

TEST(folded_read, two_counts_are_two_types)
{
	static const char text[] = "main;work;inner 10 25\nmain;idle 30 5\nmain;new 0 4\n";
	struct profile *p;
	s64 before = 0, after = 0;

	check_read(text, NULL, "main;idle 5\nmain;new 4\nmain;work;inner 25\n");
	CHECK_INT(read_text(text, &p, NULL), 0);
	CHECK_INT(p->sample_types.len, 2);
	CHECK_INT(profile_find_sample_type(p, NULL), 1);
	CHECK_INT(profile_find_sample_type(p, "samples_before"), 0);
	vec_for_each(&p->samples, s) {
		before += p->values.data[s->first_value];
		after += p->values.data[s->first_value + 1];
	}
	CHECK_INT(before, 40);
	CHECK_INT(after, 34);
	profile_free(p);
}

/* One line with one count says that numbers before the others belong to names. */
TEST(folded_read, names_may_end_in_numbers)
{
	struct profile *p;

	CHECK_INT(read_text("main;worker 3 10\nmain;idle 4\n", &p, NULL), 0);
	CHECK_INT(p->sample_types.len, 1);
	CHECK_STR(profile_text(p, p->functions.data[1].name), "worker 3");
	profile_free(p);
	/* Others would take it for a second count. */
	check_read("main;worker 3 10\nmain;idle 4\n", NULL, "main;idle 4\nmain;worker_3 10\n");
}

TEST(folded_read, lines_of_any_length)
{
	const size_t frames = 300000, len = 100;
	char *text = malloc(frames * len + 64), *at = text;
	struct profile *p;

	CHECK(text);
	for (size_t i = 0; i < frames; i++)
		at += sprintf(at, "%s%090zu", i ? ";" : "", i);
	sprintf(at, " 7\nmain;x 3\n");
	CHECK_INT(read_text(text, &p, NULL), 0);
	CHECK_INT(p->samples.len, 2);
	CHECK_INT(p->samples.data[0].nlocations, frames);
	CHECK_INT(p->values.data[0] + p->values.data[1], 10);
	profile_free(p);
	free(text);
}

TEST(folded_read, marks_of_encodings)
{
	struct error err = {0};
	struct profile *p;

	check_read("\xef\xbb\xbfmain;a 1\r\nmain;b\t2\r\n", NULL, "main;a 1\nmain;b 2\n");
	CHECK(format_read_bytes((struct bytes){(const u8 *)"\xff\xfe"
							   "a\0 \0001\0",
					       8},
				NULL, &p, &err) < 0);
	CHECK(strstr(err.text, "UTF-16"));
}

TEST(folded_read, suffixes_of_java_frames)
{
	struct profile *p;

	check_read("M.run_[j];W.step_[j] 50\nM.run_[0];W.step_[0] 30\nM.run_[1];W.step_[i] 20\n",
		   NULL, "M.run;W.step 100\n");
	CHECK_INT(read_text("M.run_[1];W.step_[i];x_[k];y_[i] 20\nmain;z_[i] 1\n", &p, NULL), 0);
	vec_for_each(&p->locations, l) {
		const char *name = profile_text(
			p, p->functions.data[p->lines.data[l->first_line].function].name);

		CHECK_INT(p->mappings.data[l->mapping].kind,
			  strchr("xy", *name)   ? PROFILE_MAPPING_KERNEL
			  : strchr("MW", *name) ? PROFILE_MAPPING_JIT
						: PROFILE_MAPPING_FILE);
	}
	profile_free(p);
}

TEST(folded_read, recursion_is_kept)
{
	check_read("f;f;f 3\n", NULL, "f;f;f 3\n");
}

TEST(folded_read, lines_without_counts_are_left_out)
{
	static const char text[] =
		"title of it\na 1\n\n# 3 samples 4\nb;c\nd 0x10\n12\nx nan\nb 2 \n";
	struct read_notes notes = {0};
	struct error err = {0};
	struct profile *p;

	check_read(text, NULL, "a 1\nb 2\n");
	CHECK_INT(folded_read((struct bytes){(const u8 *)text, strlen(text)}, &notes, &p, NULL), 0);
	CHECK_INT(notes.lines_left_out, 5);
	CHECK_INT(notes.first_left_out, 1);
	profile_free(p);
	CHECK(read_text("a;b 12x\n", &p, &err) < 0);
	CHECK(strstr(err.text, "no line of it ends in a count"));
}

TEST(folded_read, negative_counts)
{
	struct profile *p;

	CHECK_INT(read_text("a;b -5\na;c 3\n", &p, NULL), 0);
	CHECK_INT(p->values.data[0], -5);
	profile_free(p);
}

TEST(folded_read, counts_that_do_not_fit)
{
	struct error err = {0};
	struct profile *p;

	CHECK(read_text("a 99999999999999999999999\n", &p, &err) < 0);
	CHECK(strstr(err.text, "too large"));
}

TEST(folded_read, bad_utf8_is_replaced)
{
	check_read("a\xff"
		   "b;c 1\n",
		   NULL,
		   "a\xef\xbf\xbd"
		   "b;c 1\n");
}
