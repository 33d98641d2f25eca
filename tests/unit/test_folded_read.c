/* SPDX-License-Identifier: Apache-2.0 */
/* Reading folded stacks. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "format/read.h"
#include "format_fixture.h"

static int read_text(const char *text, struct profile **p, struct error *err)
{
	return format_read_bytes((struct bytes){(const u8 *)text, strlen(text)}, p, err);
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

TEST(folded_read, fractions_are_rounded)
{
	check_read("a 1.6\nb 3.2\n", NULL, "a 2\nb 3\n");
}

TEST(folded_read, recursion_is_kept)
{
	check_read("f;f;f 3\n", NULL, "f;f;f 3\n");
}

TEST(folded_read, lines_without_counts_are_named)
{
	struct error err = {0};
	struct profile *p;

	CHECK(folded_read((struct bytes){(const u8 *)"a 1\nb;c\n", 8}, &p, &err) < 0);
	CHECK(strstr(err.text, "line 2"));
	CHECK(folded_read((struct bytes){(const u8 *)"a;b 12x\n", 8}, &p, &err) < 0);
	CHECK(strstr(err.text, "line 1"));
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
