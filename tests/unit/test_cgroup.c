/* SPDX-License-Identifier: Apache-2.0 */
/* Control groups by path and by number, and directories that are none. */
#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target/cgroup.h"

struct mounted { /* one hierarchy of this machine */
	char point[PATH_MAX], options[256];
};

static bool find_mount(const char *type, struct mounted *out)
{
	FILE *f = fopen("/proc/self/mounts", "re");
	char line[4096], kind[64];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%*s %4095s %63s %255s", out->point, kind, out->options) ==
				3 &&
			!strcmp(kind, type);
	if (f)
		fclose(f);
	return found;
}

static void make_group(const struct mounted *m, char path[PATH_MAX + 64])
{
	snprintf(path, PATH_MAX + 64, "%s/cprof-unit-%d", m->point, (int)getpid());
	if (mkdir(path, 0755))
		unit_skip("control groups cannot be made here");
}

TEST(cgroup, a_group_of_the_unified_hierarchy_by_path_name_and_number)
{
	char path[PATH_MAX + 64], back[PATH_MAX], *title = NULL;
	struct target_cgroup by_path, by_name;
	struct mounted m;
	struct error err;
	struct stat st;

	if (!find_mount("cgroup2", &m))
		unit_skip("no cgroup2 is mounted");
	make_group(&m, path);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(cgroup_open(&by_path, path, &title, &err), 0);
	CHECK(strstr(title, strrchr(path, '/')) != NULL);
	free(title);
	CHECK_INT(cgroup_open(&by_name, strrchr(path, '/'), &title, &err), 0);
	free(title);
	CHECK_INT(cgroup_path_of(st.st_ino, back, sizeof(back)), 0);
	rmdir(path);
	CHECK(by_path.v2 && by_name.v2);
	CHECK_INT(by_path.id, st.st_ino);
	CHECK_INT(by_name.id, st.st_ino);
	CHECK_INT(by_path.level, 1);
	CHECK_STR(back, strrchr(path, '/'));
	cgroup_release(&by_path);
	cgroup_release(&by_name);
	CHECK_INT(cgroup_path_of(st.st_ino, back, sizeof(back)), -ESTALE);
}

TEST(cgroup, a_group_of_an_older_hierarchy_has_its_controllers)
{
	char path[PATH_MAX + 64], *title = NULL;
	struct target_cgroup c;
	struct mounted m;
	struct error err;

	if (!find_mount("cgroup", &m))
		unit_skip("no cgroup of version 1 is mounted");
	make_group(&m, path);
	CHECK_INT(cgroup_open(&c, path, &title, &err), 0);
	rmdir(path);
	CHECK(!c.v2);
	CHECK_INT(c.level, 1);
	CHECK(c.controllers[0] && strstr(m.options, c.controllers) != NULL);
	free(title);
	cgroup_release(&c);
}

TEST(cgroup, other_directories_and_missing_ones_are_refused)
{
	struct target_cgroup c;
	char *title = NULL;
	struct error err;

	CHECK_INT(cgroup_open(&c, "/tmp", &title, &err), -EINVAL);
	CHECK_INT(cgroup_open(&c, "/no/such.slice", &title, &err), -ENOENT);
}
