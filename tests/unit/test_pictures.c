/* SPDX-License-Identifier: Apache-2.0 */
/* The formats that other viewers open: text is escaped, and nothing is lost. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/read.h"
#include "format_fixture.h"

static const char *const hostile[] = {"<script>alert(1)</script>", "a\"b\\c",     "x&y", "it's",
				      "tab\tand\x1b[31m",          "\xe2\x82\xac"};

static struct profile *hostile_profile(void)
{
	char text[1024];
	size_t len = 0;
	struct profile *p;

	for (size_t i = 0; i < ARRAY_LEN(hostile); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s;leaf 7\n", hostile[i]);
	CHECK_INT(folded_read((struct bytes){(const u8 *)text, len}, NULL, &p, NULL), 0);
	return p;
}

static void lacks(const struct format *f, const char *const *forbidden)
{
	struct profile *p = hostile_profile();
	char *text = written(p, f, NULL);

	for (; *forbidden; forbidden++) {
		if (strstr(text, *forbidden))
			unit_fail(__FILE__, __LINE__, "%s has %s", f->name, *forbidden);
	}
	CHECK(strstr(text, "\xe2\x82\xac"));
	free(text);
	profile_free(p);
}

TEST(pictures, markup_is_text_in_svg)
{
	lacks(&format_svg, (const char *const[]){"<script", "x&y", "\x1b", "a\"b", NULL});
}

TEST(pictures, quotes_and_controls_are_escaped_in_json)
{
	static const char *const bad[] = {"<script", "a\"b", "b\\c", "\x1b", "\t", NULL};

	lacks(&format_speedscope, bad);
	lacks(&format_firefox, bad);
	lacks(&format_chrome, bad);
}

TEST(pictures, svg_has_a_box_for_every_frame)
{
	struct profile *p = fixture_profile();
	char *text = written(p, &format_svg, NULL);

	CHECK(strstr(text, "<title>all (100ms, 100%)</title>"));
	CHECK(strstr(text, "<title>inlined&lt;int&gt;(int) (inline) (30ms, 30.00%)</title>"));
	CHECK(strstr(text, "<title>do_syscall (40ms, 40.00%)</title>"));
	free(text);
	profile_free(p);
}

TEST(pictures, speedscope_has_all_types_and_weights)
{
	struct profile *p = fixture_profile();
	char *text = written(p, &format_speedscope, NULL);

	CHECK(strstr(text, "\"activeProfileIndex\":1"));
	CHECK(strstr(text, "\"unit\":\"nanoseconds\""));
	CHECK(strstr(text, "\"weights\":[3,2,1,4]"));
	CHECK(strstr(text, "\"weights\":[30000000,20000000,10000000,40000000]"));
	CHECK(strstr(text, "\"endValue\":10}"));
	free(text);
	profile_free(p);
}

TEST(pictures, firefox_has_a_thread_for_each_label)
{
	struct profile *p = fixture_profile();
	char *text =
		written(p, &format_firefox, &(struct format_options){.sample_type = "samples"});

	CHECK(strstr(text, "{\"name\":\"a\""));
	CHECK(strstr(text, "{\"name\":\"b\""));
	CHECK(strstr(text, "{\"name\":\"all threads\""));
	CHECK(strstr(text, "\"weight\":[1,4]"));
	free(text);
	profile_free(p);
}

TEST(pictures, chrome_nests)
{
	struct profile *p = fixture_profile();
	char *text = written(p, &format_chrome, NULL);

	CHECK(strstr(text, "\"ts\":0.000,\"dur\":100000.000,\"name\":\"main\""));
	CHECK(strstr(text, "\"dur\":30000.000,\"name\":\"inlined\\u003cint>(int)\""));
	free(text);
	profile_free(p);
}

TEST(pictures, large_and_empty_profiles)
{
	const struct format *const all[] = {&format_svg, &format_speedscope, &format_firefox,
					    &format_chrome};
	struct profile *large = large_profile(1000, 500), *empty;

	CHECK_INT(profile_new(&empty), 0);
	CHECK_INT(profile_add_sample_type(empty, "samples", "count"), 0);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		free(written(large, all[i], NULL));
		free(written(empty, all[i], NULL));
	}
	profile_free(large);
	profile_free(empty);
}
