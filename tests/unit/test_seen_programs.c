/* SPDX-License-Identifier: Apache-2.0 */
/* What is said about the programs of a command, by how their allocations were seen. */
#include "collect/heap/seen_programs.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static void add(struct seen_programs *s, u32 probed, u32 number, const char *name)
{
	struct new_process program = {.tgid = {number}, .ended = 1, .probed = probed};

	snprintf(program.comm, sizeof(program.comm), "%s", name);
	seen_programs_add(s, &program);
}

TEST(seen_programs, nothing_is_said_if_the_sampler_has_seen_all)
{
	struct seen_programs s = {0};
	struct lines lines = {0};

	seen_programs_init(&s);
	seen_programs_set_sampled(&s, 3);
	seen_programs_summary(&s, &lines);
	CHECK_INT(lines.text.len, 0);
	seen_programs_release(&s);
}

TEST(seen_programs, the_others_are_named_with_their_numbers)
{
	struct seen_programs s = {0};
	struct lines lines = {0};

	seen_programs_init(&s);
	seen_programs_set_sampled(&s, 3);
	add(&s, 1, 12, "leak");
	add(&s, 0, 13, "true");
	seen_programs_summary(&s, &lines);
	CHECK_INT(lines.text.len, 2);
	CHECK(strstr(lines.text.data[0], "sampler: 3 programs; "));
	CHECK(strstr(lines.text.data[0], "by probes: leak (PID 12)"));
	CHECK(!strstr(lines.text.data[0], "true"));
	CHECK(strstr(lines.text.data[1], "of true (PID 13):"));
	lines_release(&lines);
	seen_programs_release(&s);
}

/* Times are those of one process that runs one program after the other. */
TEST(seen_programs, what_began_without_probes_is_named_with_the_time)
{
	struct seen_programs s = {0};
	struct lines lines = {0};

	seen_programs_init(&s);
	seen_programs_begin(&s, 12, 5000000, false);
	seen_programs_place(&s, 12, 7500000);
	add(&s, 1, 12, "late");
	seen_programs_place(&s, 12, 8000000);
	seen_programs_expect(&s, 12);
	seen_programs_begin(&s, 12, 9000000, false);
	add(&s, 1, 12, "expected");
	seen_programs_begin(&s, 12, 10000000, true);
	seen_programs_place(&s, 12, 11000000);
	add(&s, 0, 12, "idle");
	seen_programs_begin(&s, 12, 12000000, false);
	add(&s, 0, 12, "short");
	seen_programs_summary(&s, &lines);
	CHECK_INT(lines.text.len, 3);
	CHECK(strstr(lines.text.data[0], "by probes: late (PID 12), expected (PID 12)"));
	CHECK(strstr(lines.text.data[1], "1 of these programs ran for 2.5 ms in all"));
	CHECK(strstr(lines.text.data[1], "not seen: late (PID 12)"));
	CHECK(strstr(lines.text.data[2], "seen of short (PID 12):"));
	lines_release(&lines);
	seen_programs_release(&s);
}

/* A command may run any number of programs, with names of 15 bytes and numbers of 7 digits. */
TEST(seen_programs, many_are_counted)
{
	struct seen_programs s = {0};
	struct lines lines = {0};

	seen_programs_init(&s);
	for (u32 i = 0; i < 100000; i++)
		add(&s, 0, 4000000 + i, "fifteen-letters");
	seen_programs_summary(&s, &lines);
	CHECK_INT(lines.text.len, 2);
	CHECK(strstr(lines.text.data[1], "letters (PID 4000000), fifteen"));
	CHECK(strstr(lines.text.data[1], " and 99992 more: the sampler"));
	CHECK(strstr(lines.text.data[1], "hit a probe"));
	lines_release(&lines);
	seen_programs_release(&s);
}
