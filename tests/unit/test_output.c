/* SPDX-License-Identifier: Apache-2.0 */
/* Which format goes where, what is refused before recording, and what is left if writing fails. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../cmd/output.h"
#include "base/signals.h"
#include "fixture.h"
#include "format/read.h"
#include "format_fixture.h"
#include "unit.h"

enum { PIPE, SCREEN }; /* what stdout is */

struct bench {
	struct options options;
	struct terminal term;
	struct output out;
	struct error err;
};

static int init(struct bench *b, const char *path, const struct format *format, int stdout_is)
{
	*b = (struct bench){.options = {.output = path, .format = format, .quiet = true}};
	terminal_init(&b->term, &b->options);
	b->term.out_tty = stdout_is == SCREEN;
	return output_init(&b->out, &b->options, &b->term, &b->err);
}

static void check_choice(const char *path, const struct format *format, int stdout_is,
			 const char *want_path, const struct format *want, bool table)
{
	struct bench b;

	CHECK_INT(init(&b, path, format, stdout_is), 0);
	CHECK_STR(b.out.path, want_path);
	CHECK_STR(b.out.format->name, want->name);
	CHECK_INT(b.out.table, table);
}

static int write_to(const char *path, struct error *err)
{
	const struct target target = {.scope = TARGET_PROCESSES};
	const struct output_place place = {.kind = "cpu", .target = &target};
	struct profile *p = fixture_profile();
	struct bench b;
	int code;

	CHECK_INT(init(&b, path, &format_folded, PIPE), 0);
	code = output_write(&b.out, p, &place, err);
	profile_free(p);
	return code;
}

TEST(output, the_name_picks_the_format)
{
	fixture_enter();
	check_choice("p.pb.gz", NULL, PIPE, "p.pb.gz", &format_pprof, false);
	check_choice("p.folded", NULL, PIPE, "p.folded", &format_folded, false);
	check_choice("p.txt", NULL, PIPE, "p.txt", &format_text, false);
	check_choice("p.json", NULL, PIPE, "p.json", &format_pprof, false);
	check_choice("folded", NULL, PIPE, "folded", &format_pprof, false);
	check_choice("p.pb.gz", &format_text, PIPE, "p.pb.gz", &format_text, false);
	check_choice("p.folded", NULL, SCREEN, "p.folded", &format_folded, true);
}

TEST(output, without_a_name_stdout_decides)
{
	fixture_enter();
	check_choice(NULL, NULL, PIPE, "-", &format_folded, false);
	check_choice("-", NULL, PIPE, "-", &format_folded, false);
	check_choice(NULL, &format_pprof, PIPE, "-", &format_pprof, false);
	check_choice(NULL, NULL, SCREEN, NULL, &format_pprof, true);
	check_choice(NULL, &format_pprof, SCREEN, NULL, &format_pprof, true);
	check_choice(NULL, &format_text, SCREEN, "-", &format_text, false);
	check_choice("-", NULL, SCREEN, "-", &format_folded, false);
}

static void check_refused(const char *path, int code, const char *text)
{
	struct bench b;

	CHECK_INT(init(&b, path, NULL, PIPE), code);
	CHECK_STR(b.err.text, text);
}

TEST(output, places_that_cannot_be_written_are_refused_at_once)
{
	char name[5000];
	struct bench b;

	fixture_enter();
	fixture_write("file", "", 0);
	CHECK_INT(mkdir("d", 0755), 0);
	check_refused("d", -EISDIR, "cannot write d: is a directory");
	check_refused("/", -EISDIR, "cannot write /: is a directory");
	check_refused("none/p", -ENOENT, "cannot write none/p: no such file or directory");
	check_refused("file/p", -ENOTDIR, "cannot write file/p: not a directory");
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	CHECK_INT(init(&b, name, NULL, PIPE), -ENAMETOOLONG);
	CHECK_INT(symlink("d", "link"), 0);
	check_refused("link", -EISDIR, "cannot write link: is a directory");
	CHECK_INT(fixture_files_here(), 3);
}

TEST(output, rights_are_looked_at_before_recording)
{
	fixture_enter();
	CHECK_INT(mkdir("locked", 0555), 0);
	fixture_write("mine", "", 0);
	CHECK_INT(chmod("mine", 0444), 0);
	CHECK_INT(chmod(".", 0755), 0);
	if (!getuid() && setresuid(65534, 65534, 0))
		unit_skip("cannot become an ordinary user");
	check_refused("locked/p", -EACCES, "cannot write locked/p: permission denied");
	check_refused("mine", -EACCES, "cannot write mine: permission denied");
	if (setresuid(0, 0, 0) && getuid() == 65534)
		unit_fail(__FILE__, __LINE__, "cannot become root again");
}

TEST(output, a_file_is_replaced_as_a_whole)
{
	struct stat before, after;
	struct error err = {0};

	fixture_enter();
	fixture_write("p.folded", "older", 5);
	CHECK_INT(stat("p.folded", &before), 0);
	CHECK_INT(write_to("p.folded", &err), 0);
	CHECK_INT(stat("p.folded", &after), 0);
	CHECK(before.st_ino != after.st_ino);
	fixture_check_profile("p.folded");
	CHECK_INT(fixture_files_here(), 1);
}

TEST(output, a_link_is_replaced_and_not_followed)
{
	struct error err = {0};
	struct stat st;

	fixture_enter();
	fixture_write("victim", "precious", 8);
	CHECK_INT(symlink("victim", "p.folded"), 0);
	CHECK_INT(write_to("p.folded", &err), 0);
	CHECK_INT(lstat("p.folded", &st), 0);
	CHECK(S_ISREG(st.st_mode));
	fixture_check_text("victim", "precious");
	CHECK_INT(symlink("nowhere", "dangling"), 0);
	CHECK_INT(write_to("dangling", &err), 0);
	fixture_check_profile("dangling");
	CHECK_INT(access("nowhere", F_OK), -1);
	CHECK_INT(fixture_files_here(), 3);
}

/* Profiles that cannot be written are saved in this directory, which is created inside the test's
 * own. */
static void rescue_to(const char *folder)
{
	char path[PATH_MAX];

	fixture_enter();
	CHECK_INT(mkdir(folder, 0700), 0);
	CHECK(realpath(folder, path));
	CHECK_INT(setenv("TMPDIR", path, 1), 0);
}

/* The error names why it was not written, and a file with the profile that only we may read. */
static void check_rescue(const struct error *err, const char *why)
{
	static const char saved[] = "; the profile was saved as ";
	const char *path;
	struct profile *p;
	struct stat st;

	CHECK(!strncmp(err->text, why, strlen(why)));
	CHECK(!strncmp(err->text + strlen(why), saved, strlen(saved)));
	path = err->text + strlen(why) + strlen(saved);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_mode & 07777, 0600);
	CHECK_INT(format_read_file(path, NULL, &p, NULL), 0);
	CHECK(p->samples.len > 0);
	profile_free(p);
}

TEST(output, a_full_device_is_said)
{
	struct error err = {0};

	rescue_to("saved");
	CHECK_INT(write_to("/dev/full", &err), -ENOSPC);
	check_rescue(&err, "cannot write /dev/full: no space left on device");
	CHECK_INT(write_to("/dev/null", &err), 0);
}

TEST(output, a_failed_write_leaves_the_older_file_and_nothing_else)
{
	const struct rlimit limit = {4, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
	struct error err = {0};

	fixture_enter();
	fixture_write("p.folded", "older", 5);
	signals_ignore_failed_writes();
	CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
	CHECK_INT(write_to("p.folded", &err), -EFBIG);
	CHECK_INT(write_to("fresh.folded", &err), -EFBIG);
	CHECK_INT(setrlimit(RLIMIT_FSIZE, &none), 0);
	CHECK_STR(err.text,
		  "cannot write fresh.folded: file too large (the limit is set by ulimit -f); it "
		  "cannot be saved in /var/tmp or /tmp either");
	fixture_check_text("p.folded", "older");
	CHECK_INT(fixture_files_here(), 1);
}

TEST(output, a_directory_that_appeared_meanwhile)
{
	const struct target target = {.scope = TARGET_PROCESSES};
	const struct output_place place = {.kind = "cpu", .target = &target};
	struct profile *p = fixture_profile();
	struct bench b;

	rescue_to("saved");
	CHECK_INT(init(&b, "p.folded", NULL, PIPE), 0);
	CHECK_INT(mkdir("p.folded", 0755), 0);
	CHECK_INT(output_write(&b.out, p, &place, &b.err), -EISDIR);
	check_rescue(&b.err, "cannot write p.folded: is a directory");
	CHECK_INT(fixture_files_here(), 2);
	profile_free(p);
}

/* ---- made-up names ---- */

static char *only_file(void)
{
	DIR *d = opendir(".");
	struct dirent *e;
	char *name = NULL;

	CHECK(d);
	CHECK_INT(fixture_files_here(), 1);
	while ((e = readdir(d))) {
		if (e->d_name[0] != '.')
			name = strdup(e->d_name);
	}
	closedir(d);
	CHECK(name);
	return name;
}

static void check_made_up(const struct output_place *place, const char *pattern)
{
	struct profile *p = fixture_profile();
	struct bench b;
	char *name;

	p->samples.len = 0; /* no table on the terminal */
	CHECK_INT(init(&b, NULL, NULL, SCREEN), 0);
	CHECK_INT(output_write(&b.out, p, place, &b.err), 0);
	name = only_file();
	if (fnmatch(pattern, name, FNM_PERIOD))
		unit_fail(__FILE__, __LINE__, "%s does not match %s", name, pattern);
	CHECK_INT(unlink(name), 0);
	free(name);
	profile_free(p);
}

#define STAMP "[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]-[0-9][0-9][0-9][0-9][0-9][0-9]"

TEST(output, a_made_up_name_holds_kind_target_and_time)
{
	struct process_info process = {.tgid = 4711, .comm = "../a b;$(x)"};
	struct target target = {.scope = TARGET_PROCESSES, .title = "/opt/bin/my server"};
	struct output_place place = {.kind = "cpu", .target = &target};

	fixture_enter();
	CHECK_INT(vec_push(&target.processes, process), 0);
	check_made_up(&place, "cprof-cpu-.._a_b___x_-4711-" STAMP ".pb.gz");
	place.is_command = true;
	check_made_up(&place, "cprof-cpu-my_server-" STAMP ".pb.gz");
	place.is_command = false;
	target.scope = TARGET_CGROUP;
	check_made_up(&place, "cprof-cpu-cgroup-" STAMP ".pb.gz");
	vec_release(&target.processes);
	target.scope = TARGET_ALL;
	check_made_up(&place, "cprof-cpu-machine-" STAMP ".pb.gz");
}

/* ---- whose stdout ---- */

TEST(output, a_command_gets_stderr_where_the_profile_has_stdout)
{
	struct bench b;

	CHECK_INT(init(&b, "-", NULL, PIPE), 0);
	CHECK_INT(output_command_stdout(&b.out), STDERR_FILENO);
	fixture_enter();
	CHECK_INT(init(&b, "p.folded", NULL, PIPE), 0);
	CHECK_INT(output_command_stdout(&b.out), -1);
}
