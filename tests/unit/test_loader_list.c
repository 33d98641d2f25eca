/* SPDX-License-Identifier: Apache-2.0 */
/* What dynamic loaders say, and programs that only have the name of one. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "target/loader_list.h"

struct listed {
	u32 n, max;
	char paths[8][256];
};

static bool note(void *arg, const char *path)
{
	struct listed *l = arg;

	snprintf(l->paths[l->n++ % 8], sizeof(l->paths[0]), "%s", path);
	return l->n < l->max;
}

/* Runs a script in place of a loader. */
static struct listed list_by(const char *script, u32 max)
{
	char dir[] = "/tmp/unit.XXXXXX", path[64];
	struct listed l = {.max = max};
	int fd;

	CHECK(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/ld-linux-x86-64.so.2", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	CHECK_INT(dprintf(fd, "#!/bin/sh\n%s\n", script) > 0, 1);
	close(fd);
	loader_list(path, "/bin/true", note, &l);
	unlink(path);
	rmdir(dir);
	return l;
}

TEST(loader_list, loaders_are_known_by_their_names)
{
	CHECK(loader_lists("/lib64/ld-linux-x86-64.so.2"));
	CHECK(loader_lists("/lib/ld-linux-aarch64.so.1"));
	CHECK(loader_lists("/lib/ld-musl-x86_64.so.1"));
	CHECK(!loader_lists("/lib/ld-linux-x86-64.so.2/sh"));
	CHECK(!loader_lists("/bin/ld"));
	CHECK(!loader_lists(""));
}

TEST(loader_list, the_c_library_is_in_the_list_of_a_program)
{
	struct listed l = {.max = 8};

	if (access("/lib64/ld-linux-x86-64.so.2", X_OK))
		unit_skip("there is no ld-linux-x86-64.so.2");
	loader_list("/lib64/ld-linux-x86-64.so.2", "/bin/sh", note, &l);
	CHECK(l.n >= 1);
	CHECK(strstr(l.paths[0], "/libc.so") != NULL);
}

TEST(loader_list, only_lines_with_a_place_count_and_no_more_than_are_asked_for)
{
	const char *script =
		"printf '\\tvdso.so (0x7f00)\\n\\ta.so => /a/b.so (0x10)\\n'\n"
		"printf '\\tc.so => not found\\n\\t/lib/d.so (0x20)\\n/e.so (0x30)\\n'";
	struct listed l = list_by(script, 8);

	CHECK_INT(l.n, 3);
	CHECK_STR(l.paths[0], "/a/b.so");
	CHECK_STR(l.paths[1], "/lib/d.so");
	CHECK_STR(l.paths[2], "/e.so");
	CHECK_INT(list_by(script, 1).n, 1);
}

TEST(loader_list, a_line_that_is_too_long_is_left_out)
{
	struct listed l = list_by("printf '/'; head -c 100000 /dev/zero | tr '\\0' x\n"
				  "printf ' (0x1)\\n/next.so (0x2)\\n'",
				  8);

	CHECK_INT(l.n, 1);
	CHECK_STR(l.paths[0], "/next.so");
}

TEST(loader_list, a_loader_that_does_not_end_is_killed)
{
	u64 began = monotonic_ms();
	struct listed l = list_by("echo '/a.so (0x1)'; while :; do sleep 100; done", 8);

	CHECK_INT(l.n, 1);
	CHECK(monotonic_ms() - began < 60000); /* one second, and what a busy machine adds */
}
