/* SPDX-License-Identifier: Apache-2.0 */
/* The files that a command will map: found along PATH, behind scripts, and not at all. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

	needed_files_of("sh", NULL, &n);
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
	needed_files_of(fixture_path("script"), NULL, &n);
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
	needed_files_of(fixture_path("script"), NULL, &n);
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
	needed_files_of(fixture_path("loop"), NULL, &n);
	needed_files_release(&n);
}

/* Makes a program whose loader is a script of that name, which creates "was_run". */
static void make_odd_program(const char *loader, const char *script)
{
	static const char source[] = "int main(void) { return 0; }\n";

	fixture_write("t.c", source, sizeof(source) - 1);
	fixture_run("cc -o odd t.c -Wl,--dynamic-linker=$PWD/%s", loader);
	fixture_run("printf '#!/bin/sh\ntouch %s/was_run\n%s\n' >%s; chmod 755 %s", fixture_dir(),
		    script, loader, loader);
}

TEST(needed, a_loader_that_may_not_know_list_is_not_run)
{
	struct needed_files n;

	make_odd_program("loader", "exit 0");
	needed_files_of(fixture_path("odd"), NULL, &n);
	CHECK(lists(&n, "/odd") && lists(&n, "/loader"));
	CHECK_INT(access(fixture_path("was_run"), F_OK), -1);
	needed_files_release(&n);
}

/* It runs for a minute, as does its child, and both hold the pipe open. */
TEST(needed, a_loader_that_does_not_end_is_killed)
{
	struct needed_files n;
	time_t began = time(NULL);

	make_odd_program("ld-linux-odd.so", "echo \"	a => /lib/listed.so (0x1)\"; sleep 60 & "
					    "echo $! >$(dirname $0)/child; sleep 60");
	needed_files_of(fixture_path("odd"), NULL, &n);
	CHECK(time(NULL) - began < 20);
	CHECK_INT(access(fixture_path("was_run"), F_OK), 0);
	CHECK(lists(&n, "/lib/listed.so"));
	fixture_run("for i in 1 2 3 4 5 6 7 8 9; do case $(ps -o stat= -p $(cat child)) in "
		    "'' | Z*) exit 0 ;; esac; sleep 0.5; done; exit 1");
	needed_files_release(&n);
}

TEST(needed, a_loader_that_never_stops_talking)
{
	struct needed_files n;
	time_t began = time(NULL);

	make_odd_program("ld-linux-odd.so", "exec yes \"	a => /lib/listed.so (0x1)\"");
	needed_files_of(fixture_path("odd"), NULL, &n);
	CHECK(time(NULL) - began < 20);
	CHECK(lists(&n, "/lib/listed.so"));
	needed_files_release(&n);
}

TEST(needed, nothing_for_what_is_not_there)
{
	struct needed_files n;

	needed_files_of("/nonexistent/program", NULL, &n);
	CHECK(!n.paths);
	needed_files_of("no-such-program-anywhere", NULL, &n);
	CHECK(!n.paths);
	needed_files_of("", NULL, &n);
	CHECK(!n.paths);
	needed_files_release(&n);
}
