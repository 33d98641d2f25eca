/* SPDX-License-Identifier: Apache-2.0 */
/* Our own text and text from outside, in every kind of file. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/json.h"
#include "format_fixture.h"

struct text {
	char data[4096];
	size_t len;
};

static int keep(void *arg, const void *data, size_t len)
{
	struct text *t = arg;

	CHECK(t->len + len < sizeof(t->data));
	memcpy(t->data + t->len, data, len);
	t->len += len;
	return 0;
}

static const char foreign[] = "<a b=\"c\" d='e'>&\\\x1b[1m\xc2\x9b\xe2\x80\xae\xff\n";

static void check_kind(enum out_kind kind, const char *want)
{
	struct text text = {0};
	const struct sink to = {.write = keep, .arg = &text};
	struct out *o = malloc(sizeof(*o));

	CHECK(o);
	out_init(o, &to, kind);
	out_literal(o, "<\n");
	out_printf(o, "<%d \"%s\">", 7, foreign);
	out_text(o, foreign);
	CHECK_INT(out_flush(o), 0);
	CHECK_STR(text.data, want);
	free(o);
}

TEST(out, escapes_for_people)
{
#define SHOWN "<a b=\"c\" d='e'>&\\\\x1b[1m\\u009b\\u202e\\xff\\n"
	check_kind(OUT_TEXT, "<\n<7 \"" SHOWN "\">" SHOWN);
}

TEST(out, escapes_for_xml)
{
#define SHOWN_XML "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;\\\\x1b[1m\\u009b\\u202e\\xff\\n"
	check_kind(OUT_XML, "<\n<7 \"" SHOWN_XML "\">" SHOWN_XML);
}

TEST(out, escapes_for_json)
{
#define SHOWN_JSON "\\u003ca b=\\\"c\\\" d='e'>&\\\\\\\\x1b[1m\\\\u009b\\\\u202e\\\\xff\\\\n"
	check_kind(OUT_JSON, "<\n<7 \"" SHOWN_JSON "\">" SHOWN_JSON);
}

TEST(out, json_strings_are_quoted)
{
	struct text text = {0};
	const struct sink to = {.write = keep, .arg = &text};
	struct out *o = malloc(sizeof(*o));
	bool first = true;

	CHECK(o);
	out_init(o, &to, OUT_JSON);
	for (const char *const *s = (const char *const[]){"", "a\"b", "</script>", NULL}; *s; s++) {
		json_comma(o, &first);
		json_string(o, *s);
	}
	CHECK_INT(out_flush(o), 0);
	CHECK_STR(text.data, "\"\",\"a\\\"b\",\"\\u003c/script>\"");
	free(o);
}

/* The text is longer than the buffers on the way, so the result must not depend on their size. */
TEST(out, long_text_is_escaped_as_a_whole)
{
	enum { TIMES = 30000 };
	char *name = malloc(3 * TIMES + 1);
	struct profile *p;
	char *page;
	size_t n = 0;

	for (size_t i = 0; i < TIMES; i++)
		memcpy(name + 3 * i, "\x1b<&", 4);
	CHECK_INT(profile_new(&p), 0);
	CHECK(profile_add_comment(p, "%s", name) >= 0);
	CHECK_INT(profile_add_sample_type(p, "samples", "count"), 0);
	page = written(p, &format_svg, NULL);
	CHECK(!strchr(page, '\x1b'));
	for (const char *at = page; (at = strstr(at, "\\x1b&lt;&amp;")); at++)
		n++;
	CHECK_INT(n, TIMES);
	free(page);
	free(name);
	profile_free(p);
}
