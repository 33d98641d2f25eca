/* SPDX-License-Identifier: Apache-2.0 */
/* The page: what names cannot break out of, and whether its tables hold what the profile holds. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format_fixture.h"
#include "short_memory.h"

/* ---- what the page would read ---------------------------------------------------------------- */

/* Returns the JSON between the <script> of the profile and its end; the caller frees it. */
static char *page_json(const char *page)
{
	const char *begin = strstr(page, "id=\"profile\">"), *end;

	CHECK(begin);
	begin += strlen("id=\"profile\">");
	end = strstr(begin, "</script>");
	CHECK(end);
	return strndup(begin, (size_t)(end - begin));
}

struct numbers {
	u8 bytes[65536];
	size_t len, at;
};

static u32 base64_digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (u32)(at - digits) : 0;
}

/* Returns the packed table of that name. */
static void numbers_of(const char *json, const char *name, struct numbers *n)
{
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), "\n\"%s\":\"", name);
	at = strstr(json, key);
	CHECK(at);
	n->len = n->at = 0;
	for (at += strlen(key); *at != '"'; at += 4) {
		u32 bits = base64_digit(at[0]) << 18 | base64_digit(at[1]) << 12 |
			   base64_digit(at[2]) << 6 | base64_digit(at[3]);

		CHECK(n->len + 3 <= sizeof(n->bytes));
		n->bytes[n->len++] = (u8)(bits >> 16);
		if (at[2] != '=')
			n->bytes[n->len++] = (u8)(bits >> 8);
		if (at[3] != '=')
			n->bytes[n->len++] = (u8)bits;
	}
}

static u64 next(struct numbers *n)
{
	u64 value = 0;

	for (u32 shift = 0;; shift += 7) {
		CHECK(n->at < n->len && shift < 64);
		value |= (u64)(n->bytes[n->at] & 0x7f) << shift;
		if (!(n->bytes[n->at++] & 0x80))
			return value;
	}
}

static s64 next_signed(struct numbers *n)
{
	u64 value = next(n);

	return (s64)(value >> 1) ^ -(s64)(value & 1);
}

static void check_next(struct numbers *n, const u64 *want, size_t count)
{
	for (size_t i = 0; i < count; i++)
		CHECK_INT(next(n), want[i]);
}

static struct profile *profile_with_name(const char *name)
{
	struct profile *p = fixture_profile();
	struct profile_line line = {0};
	s64 function = profile_function(p, name, name, name, 1);
	s64 location = profile_location(p, 0, 0x400999);
	u32 stack;

	CHECK(function >= 0 && location >= 0);
	line.function = (u32)function;
	stack = (u32)location;
	CHECK_INT(profile_location_set_lines(p, stack, &line, 1), 0);
	CHECK_INT(profile_add_sample(p, &stack, 1, (s64[]){1, 10000000}, NULL, 0), 0);
	CHECK_INT(profile_add_comment(p, "%s", name), 0);
	return p;
}

static size_t count_of(const char *text, const char *part)
{
	size_t n = 0;

	for (; (text = strstr(text, part)); text += strlen(part))
		n++;
	return n;
}

/* ---- cases ----------------------------------------------------------------------------------- */

TEST(html, page_is_whole_and_loads_nothing)
{
	struct profile *p = fixture_profile();
	char *page = written(p, &format_html, NULL);

	CHECK(!strncmp(page, "<!doctype html>", 15));
	CHECK(strstr(page, "</html>"));
	CHECK(strstr(page, "default-src 'none'"));
	CHECK(!strstr(page, "http://") ||
	      count_of(page, "http://") == count_of(page, "http://www.w3.org"));
	CHECK(!strstr(page, "https://"));
	CHECK(!strstr(page, "eval("));
	CHECK(!strstr(page, "innerHTML"));
	free(page);
	profile_free(p);
}

TEST(html, names_cannot_leave_the_data)
{
	static const char *const names[] = {
		"</script><script>alert(1)</script>",
		"<!--<script>",
		"]]>",
		"\"},\"strings\":[\"",
		"back\\slash\\\"",
		"line\nbreak\ttab\x01\x7f",
	};
	struct profile *plain = fixture_profile();
	char *page = written(plain, &format_html, NULL);
	size_t scripts = count_of(page, "<script"), ends = count_of(page, "</script");

	free(page);
	profile_free(plain);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct profile *p = profile_with_name(names[i]);
		char *json;

		page = written(p, &format_html, NULL);
		CHECK_INT(count_of(page, "<script"), scripts);
		CHECK_INT(count_of(page, "</script"), ends);
		json = page_json(page);
		CHECK(!strpbrk(json, "<\x01\x7f\t"));
		CHECK_INT(count_of(json, "\"strings\":["), 1);
		free(json);
		free(page);
		profile_free(p);
	}
}

TEST(html, strings_are_escaped)
{
	struct profile *p = profile_with_name("a<b>&\"c\\d\n\xe2\x82\xac");
	char *page = written(p, &format_html, NULL);

	/* Name and file are one string, and the comment is the other. A control becomes a visible
	 * escape. */
	CHECK_INT(count_of(page, "\"a\\u003cb>&\\\"c\\\\d\\\\n\xe2\x82\xac\""), 2);
	free(page);
	profile_free(p);
}

TEST(html, tables_hold_the_stacks)
{
	struct profile *p = fixture_profile();
	char *page = written(p, &format_html, NULL), *json = page_json(page);
	struct numbers *n = malloc(sizeof(*n));
	/* Each pair is the distance back to the parent, and the frame, in the order in which the
	 * stacks come. */
	static const u64 nodes[] = {
		1, 0, 1, 1, 1, 2, /* main, work, inlined */
		3, 3, /* main, work at another line */
		4, 4, /* main, [libfoo.so] */
		2, 3, 1, 5, /* work, work, do_syscall */
	};

	CHECK(n);
	numbers_of(json, "nodes", n);
	check_next(n, nodes, ARRAY_LEN(nodes));
	CHECK_INT(n->at, n->len);
	numbers_of(json, "merged", n);
	check_next(n, (u64[]){3, 2, 3}, 3); /* without lines the fourth node is the second */
	CHECK_INT(n->at, n->len);
	numbers_of(json, "samples", n);
	for (size_t i = 0; i < 4; i++) {
		static const s64 node_steps[] = {3, 1, 1, 2}, counts[] = {3, 2, 1, 4};

		CHECK_INT(next_signed(n), node_steps[i]);
		CHECK_INT(next(n), (i + 1) % 4); /* three sets of labels, then none */
		CHECK_INT(next_signed(n), counts[i]);
		CHECK_INT(next_signed(n), counts[i]); /* divided by the period */
	}
	CHECK_INT(n->at, n->len);
	CHECK(strstr(json,
		     "[\"samples\",\"count\",1],[\"cpu\",\"nanoseconds\",10000000]],\"type\":1"));
	free(n);
	free(json);
	free(page);
	profile_free(p);
}

TEST(html, frames_know_inlining_and_kinds)
{
	struct profile *p = fixture_profile();
	char *page = written(p, &format_html, NULL), *json = page_json(page);
	struct numbers *n = malloc(sizeof(*n));
	static const s64 lines[] = {50, 34, 12, 35, 0, 0};
	static const u64 kinds[] = {0, 1, 2}; /* user, library, kernel */

	CHECK(n);
	numbers_of(json, "frames", n);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		next(n);
		CHECK_INT(next(n) & 1, i == 2);
		CHECK_INT(next_signed(n), lines[i]);
	}
	numbers_of(json, "modules", n);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		next(n);
		next(n);
		CHECK_INT(next(n), kinds[i]);
	}
	free(n);
	free(json);
	free(page);
	profile_free(p);
}

TEST(html, base_shares_the_tables)
{
	struct profile *p = fixture_profile(), *base = fixture_profile();
	struct format_options opt = {.base = base, .scale = COMPARE_TOTALS};
	struct numbers *new_ones = malloc(sizeof(*new_ones)), *old = malloc(sizeof(*old));
	char *page, *json;

	CHECK(new_ones && old);
	base->period = 1234;
	page = written(p, &format_html, &opt);
	json = page_json(page);
	numbers_of(json, "samples", new_ones);
	numbers_of(json, "base", old);
	CHECK_INT(old->len, new_ones->len);
	CHECK(!memcmp(old->bytes, new_ones->bytes, old->len));
	CHECK(strstr(json, "\"scale\":\"total\""));
	CHECK(strstr(json, "\"base_period\":[\"cpu\",\"nanoseconds\",1234]"));
	free(new_ones);
	free(old);
	free(json);
	free(page);
	profile_free(p);
	profile_free(base);
}

TEST(html, base_without_the_type_counts_nothing)
{
	struct profile *p = fixture_profile(), *base = large_profile(40, 3);
	struct format_options opt = {.base = base};
	struct numbers *n = malloc(sizeof(*n));
	char *page, *json;

	CHECK(n);
	base->sample_types.data[0].type = base->sample_types.data[1].type; /* cpu/count */
	page = written(p, &format_html, &opt);
	json = page_json(page);
	numbers_of(json, "base", n);
	for (s64 i = 1; i <= 3; i++) {
		next_signed(n);
		CHECK_INT(next(n), 0);
		CHECK_INT(next_signed(n), 0);
		CHECK_INT(next_signed(n), i);
	}
	free(n);
	free(json);
	free(page);
	profile_free(p);
	profile_free(base);
}

TEST(html, extreme_values_survive)
{
	struct profile *p = fixture_profile();
	char *page, *json;
	struct numbers *n = malloc(sizeof(*n));
	static const s64 extremes[] = {INT64_MIN, INT64_MAX, -1, 0};

	CHECK(n);
	for (size_t i = 0; i < ARRAY_LEN(extremes); i++)
		p->values.data[p->samples.data[i].first_value] = extremes[i];
	page = written(p, &format_html, NULL);
	json = page_json(page);
	numbers_of(json, "samples", n);
	for (size_t i = 0; i < ARRAY_LEN(extremes); i++) {
		next(n);
		next(n);
		CHECK_INT(next_signed(n), extremes[i]);
		next(n);
	}
	free(n);
	free(json);
	free(page);
	profile_free(p);
}

TEST(html, no_samples_and_no_types)
{
	struct profile *p;
	struct error err = {0};
	const struct sink nowhere = {.write = full_sink_write};
	char *page;

	CHECK_INT(profile_new(&p), 0);
	CHECK_INT(format_html.write(p, NULL, &nowhere, &err), -ENOENT);
	CHECK_INT(profile_add_sample_type(p, "samples", "count"), 0);
	page = written(p, &format_html, NULL);
	CHECK(strstr(page, "[\"samples\",\"count\",1]"));
	free(page);
	CHECK_INT(format_html.write(p, NULL, &nowhere, NULL), -ENOSPC);
	profile_free(p);
}

static int write_nowhere(void *arg, const void *data, size_t len)
{
	return 0;
}

TEST(html, memory_that_runs_out_is_reported)
{
	struct profile *p = fixture_profile(), *base = fixture_profile();
	struct format_options opt = {.base = base};
	const struct sink nowhere = {.write = write_nowhere};
	int ret = -ENOMEM, n = 0;

	for (; ret == -ENOMEM && n < 10000; n++) {
		short_memory_after(n);
		ret = format_html.write(p, &opt, &nowhere, NULL);
		short_memory_after(-1);
	}
	CHECK_INT(ret, 0);
	CHECK(n > 20);
	profile_free(p);
	profile_free(base);
}

TEST(html, suffixes)
{
	CHECK(format_by_path("flame.html") == &format_html);
	CHECK(format_by_path("dir.txt/flame.htm") == &format_html);
	CHECK(format_by_name("html") == &format_html);
}
