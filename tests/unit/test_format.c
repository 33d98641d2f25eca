/* SPDX-License-Identifier: Apache-2.0 */
/* The table of formats, and files that appear either whole or not at all. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/signals.h"
#include "fixture.h"
#include "format_fixture.h"

static const char folded[] = "main;[libfoo.so] 1\n"
			     "main;work 2\n"
			     "main;work;inlined<int>(int) 3\n"
			     "main;work;work;do_syscall 4\n";

static int write_folded(const char *path, struct error *err)
{
	struct profile *p = fixture_profile();
	int ret = format_write_file(p, &format_folded, NULL, path, err);

	profile_free(p);
	return ret;
}

TEST(format, found_by_name)
{
	CHECK(format_by_name("pprof") == &format_pprof);
	CHECK(format_by_name("folded") == &format_folded);
	CHECK(format_by_name("text") == &format_text);
	CHECK(format_by_name("pp") == NULL);
	CHECK(format_by_name("") == NULL);
}

TEST(format, found_by_suffix)
{
	CHECK(format_by_path("a.pb.gz") == &format_pprof);
	CHECK(format_by_path("/x.txt/cpu.folded") == &format_folded);
	CHECK(format_by_path("dir/a.txt") == &format_text);
	CHECK(format_by_path("a.gz") == NULL);
	CHECK(format_by_path(".txt") == NULL);
	CHECK(format_by_path("") == NULL);
}

TEST(format, file_is_written_whole)
{
	struct error err = {0};
	struct stat st;

	fixture_enter();
	umask(022);
	CHECK_INT(write_folded("out.folded", &err), 0);
	fixture_check_text("out.folded", folded);
	CHECK_INT(stat("out.folded", &st), 0);
	CHECK_INT(st.st_mode & 07777, 0644);
	CHECK_INT(fixture_files_here(), 1);
}

TEST(format, older_file_is_replaced)
{
	struct error err = {0};
	char path[128];

	fixture_enter();
	CHECK_INT(close(creat("out.folded", 0600)), 0);
	snprintf(path, sizeof(path), "%s", fixture_path("out.folded"));
	CHECK_INT(write_folded(path, &err), 0);
	fixture_check_text("out.folded", folded);
	CHECK_INT(fixture_files_here(), 1);
}

TEST(format, link_to_a_file_is_replaced_not_followed)
{
	struct error err = {0};
	struct stat st;

	fixture_enter();
	CHECK_INT(close(creat("victim", 0600)), 0);
	CHECK_INT(symlink("victim", "out.folded"), 0);
	CHECK_INT(symlink("nowhere", "dangling.folded"), 0);
	CHECK_INT(write_folded("out.folded", &err), 0);
	CHECK_INT(write_folded("dangling.folded", &err), 0);
	fixture_check_text("victim", "");
	fixture_check_text("out.folded", folded);
	CHECK_INT(lstat("dangling.folded", &st), 0);
	CHECK(S_ISREG(st.st_mode));
	CHECK_INT(fixture_files_here(), 3);
}

TEST(format, device_is_written_into)
{
	struct error err = {0};
	struct stat st;

	CHECK_INT(write_folded("/dev/null", &err), 0);
	CHECK_INT(lstat("/dev/null", &st), 0);
	CHECK(S_ISCHR(st.st_mode));
}

TEST(format, fifo_is_written_into)
{
	struct error err = {0};
	pid_t pid;
	int status;

	fixture_enter();
	CHECK_INT(mkfifo("out.folded", 0600), 0);
	pid = fork();
	if (!pid)
		_exit(write_folded("out.folded", &err) ? 1 : 0);
	fixture_check_text("out.folded", folded);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK_INT(status, 0);
}

TEST(format, full_disk_leaves_nothing)
{
	struct error err = {0};

	CHECK_INT(write_folded("/dev/full", &err), -ENOSPC);
	CHECK_INT(err.code, -ENOSPC);
	CHECK_STR(err.text, "cannot write /dev/full: no space left on device");
}

TEST(format, failed_write_leaves_the_older_file)
{
	const struct rlimit limit = {.rlim_cur = 10, .rlim_max = RLIM_INFINITY};
	const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
	struct error err = {0};
	FILE *f;

	fixture_enter();
	f = fopen("out.folded", "w");
	CHECK(f != NULL);
	fputs("older", f);
	fclose(f);
	signals_ignore_failed_writes();
	CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
	CHECK_INT(write_folded("out.folded", &err), -EFBIG);
	CHECK_INT(setrlimit(RLIMIT_FSIZE, &none), 0);
	CHECK_STR(err.text,
		  "cannot write out.folded: file too large (the limit is set by ulimit -f)");
	fixture_check_text("out.folded", "older");
	CHECK_INT(fixture_files_here(), 1);
}

TEST(format, directory_is_refused)
{
	struct error err = {0};

	fixture_enter();
	CHECK_INT(write_folded(".", &err), -EISDIR);
	CHECK_STR(err.text, "cannot write .: is a directory");
	CHECK_INT(write_folded("new/", &err), -EISDIR);
	CHECK_INT(write_folded("", &err), -ENOENT);
	CHECK_INT(fixture_files_here(), 0);
}

TEST(format, missing_directory_is_refused)
{
	struct error err = {0};

	fixture_enter();
	CHECK_INT(write_folded("none/out.folded", &err), -ENOENT);
	CHECK_STR(err.text, "cannot write none/out.folded: no such file or directory");
}

TEST(format, unwritable_directory_is_refused)
{
	struct error err = {0};

	CHECK_INT(write_folded("/proc/out.folded", &err), -ENOENT);
	fixture_enter();
	CHECK_INT(chmod(".", 0555), 0);
	if (!geteuid() && seteuid(65534))
		unit_skip("cannot become an ordinary user");
	CHECK_INT(write_folded("out.folded", &err), -EACCES);
	CHECK_STR(err.text, "cannot write out.folded: permission denied");
	if (seteuid(getuid()))
		unit_fail(__FILE__, __LINE__, "seteuid back");
}

TEST(format, writers_complaint_names_the_file)
{
	struct profile *p = fixture_profile();
	struct error err = {0};

	fixture_enter();
	CHECK_INT(format_write_file(p, &format_folded,
				    &(struct format_options){.sample_type = "delay"}, "o.folded",
				    &err),
		  -ENOENT);
	CHECK_STR(err.text, "cannot write o.folded: the profile has no sample type \"delay\", "
			    "only: samples, cpu");
	CHECK_INT(fixture_files_here(), 0);
	profile_free(p);
}

TEST(format, reader_that_left_gets_no_words)
{
	struct profile *p = fixture_profile();
	struct error err = {0};
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	CHECK_INT(pipe(fds), 0);
	close(fds[0]);
	CHECK_INT(format_write_fd(p, &format_folded, NULL, fds[1], &err), -EPIPE);
	CHECK_INT(err.code, -EPIPE);
	CHECK_STR(err.text, "");
	close(fds[1]);
	profile_free(p);
}

TEST(format, longest_file_name)
{
	struct error err = {0};
	char name[256];

	fixture_enter();
	memset(name, 'n', 255);
	strcpy(name + 248, ".folded");
	CHECK_INT(write_folded(name, &err), 0);
	fixture_check_text(name, folded);
}
