/* SPDX-License-Identifier: Apache-2.0 */
/* Provides files in a temporary directory for unit tests: see fixture.h. */
#include "fixture.h"

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

unsigned char *fixture_read(const char *path, size_t *len)
{
	FILE *f = fopen(path, "re");
	unsigned char *data;
	long size;

	if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0)
		unit_fail(__FILE__, __LINE__, "cannot read %s", path);
	rewind(f);
	data = malloc((size_t)size + 1);
	if (!data || fread(data, 1, (size_t)size, f) != (size_t)size)
		unit_fail(__FILE__, __LINE__, "cannot read %s", path);
	fclose(f);
	*len = (size_t)size;
	return data;
}
