/* SPDX-License-Identifier: Apache-2.0 */
/* Provides files in a temporary directory for unit tests: see fixture.h. */
#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/vec.h"
#include "unit.h"

#define NOT_FOUND 127

static char directory[PATH_MAX];
static pid_t owner;

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* unit.c ends cases with _exit, so a child that outlives the case removes the directory. */
static void remove_when_over(void)
{
	int fds[2];
	char byte;

	if (pipe2(fds, O_CLOEXEC) < 0)
		unit_fail(__FILE__, __LINE__, "pipe: %s", strerror(errno));
	if (fork() == 0) {
		close(fds[1]);
		close(STDOUT_FILENO);
		while (read(fds[0], &byte, 1) > 0)
			;
		nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
		_exit(0);
	}
	close(fds[0]); /* the other end stays open until this process ends */
}

const char *fixture_dir(void)
{
	if (owner == getpid())
		return directory;
	snprintf(directory, sizeof(directory), "%s/cprof-unit-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(directory))
		unit_fail(__FILE__, __LINE__, "mkdtemp: %s", strerror(errno));
	owner = getpid();
	remove_when_over();
	return directory;
}

const char *fixture_path(const char *name)
{
	static char path[PATH_MAX + 256];

	snprintf(path, sizeof(path), "%s/%s", fixture_dir(), name);
	return path;
}

const char *fixture_write(const char *name, const void *data, size_t size)
{
	const char *path = fixture_path(name);
	FILE *f = fopen(path, "we");

	if (!f || fwrite(data, 1, size, f) != size || fclose(f))
		unit_fail(__FILE__, __LINE__, "cannot write %s", path);
	return path;
}

void fixture_run(const char *fmt, ...)
{
	char command[4096], script[9000];
	va_list ap;
	int status;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	snprintf(script, sizeof(script),
		 "cd '%s' || exit 1; command -v %.*s >/dev/null || exit 127; (%s) >log 2>&1 ||"
		 " { sed 's/^/# /' log; exit 1; }",
		 fixture_dir(), (int)strcspn(command, " "), command, command);
	fflush(stdout);
	status = system(script);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_FOUND)
		unit_skip("not installed: %.*s", (int)strcspn(command, " "), command);
	if (status)
		unit_fail(__FILE__, __LINE__, "failed: %s", command);
}

/* A FIFO has no size, so it reads until the end. */
unsigned char *fixture_read(const char *path, size_t *len)
{
	VEC(unsigned char) data = {0};
	FILE *f = fopen(path, "re");
	size_t got = 1;

	if (!f)
		unit_fail(__FILE__, __LINE__, "cannot read %s", path);
	while (got) {
		CHECK_INT(vec_reserve(&data, data.len + 65536), 0);
		got = fread(data.data + data.len, 1, data.cap - data.len - 1, f);
		data.len += got;
	}
	if (ferror(f))
		unit_fail(__FILE__, __LINE__, "cannot read %s", path);
	fclose(f);
	*len = data.len;
	return data.data;
}

char *fixture_text(const char *path)
{
	size_t len;
	unsigned char *data = fixture_read(path, &len);

	data[len] = '\0'; /* there is space for it */
	return (char *)data;
}

void fixture_check_text(const char *path, const char *want)
{
	char *have = fixture_text(path);

	CHECK_STR(have, want);
	free(have);
}

void fixture_enter(void)
{
	CHECK_INT(chdir(fixture_dir()), 0);
}

size_t fixture_files_here(void)
{
	DIR *dir = opendir(".");
	size_t n = 0;

	CHECK(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}
