/* SPDX-License-Identifier: Apache-2.0 */
/* The files that a command will map: found along PATH, behind scripts, and not at all. */
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "target/needed.h"
#include "unit.h"

static bool lists(const struct needed_files *n, const char *part)
{
	for (char **p = n->paths; p && *p; p++) {
		if (strstr(*p, part))
			return true;
	}
	return false;
}

TEST(needed, a_program_its_loader_and_its_libraries)
{
	struct needed_files n;

	needed_files_of("sh", &n);
	CHECK(lists(&n, "/sh"));
	CHECK(lists(&n, "ld-linux"));
	CHECK(lists(&n, "libc.so"));
	needed_files_release(&n);
	CHECK(!n.paths);
}

TEST(needed, a_script_leads_to_its_interpreter)
{
	static const char text[] = "#!/bin/sh\nexit 0\n";
	struct needed_files n;

	fixture_write("script", text, sizeof(text) - 1);
	fixture_run("chmod 755 script");
	needed_files_of(fixture_path("script"), &n);
	CHECK(lists(&n, "/bin/sh"));
	CHECK(!lists(&n, "script"));
	needed_files_release(&n);
}

TEST(needed, env_leads_to_what_it_runs)
{
	static const char text[] = "#!/usr/bin/env sh\n";
	struct needed_files n;

	fixture_write("script", text, sizeof(text) - 1);
	fixture_run("chmod 755 script");
	needed_files_of(fixture_path("script"), &n);
	CHECK(lists(&n, "libc.so"));
	needed_files_release(&n);
}

TEST(needed, a_script_that_names_itself_ends)
{
	struct needed_files n;
	char text[512];

	strcpy(text, "#!");
	strncat(text, fixture_path("loop"), sizeof(text) - 4);
	strcat(text, "\n");
	fixture_write("loop", text, strlen(text));
	fixture_run("chmod 755 loop");
	needed_files_of(fixture_path("loop"), &n);
	needed_files_release(&n);
}

TEST(needed, nothing_for_what_is_not_there)
{
	struct needed_files n;

	needed_files_of("/nonexistent/program", &n);
	CHECK(!n.paths);
	needed_files_of("no-such-program-anywhere", &n);
	CHECK(!n.paths);
	needed_files_of("", &n);
	CHECK(!n.paths);
	needed_files_release(&n);
}
