/* SPDX-License-Identifier: Apache-2.0 */
/* Which file systems the kernel serves by itself, judged by texts of mountinfo. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/mounts.h"

static struct mounts parsed(const char *text, const struct mounts *ours)
{
	struct mounts m = {0};

	CHECK_INT(mounts_parse((struct bytes){(const u8 *)text, strlen(text)}, ours, &m), 0);
	return m;
}

static const char host[] =
	"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
	"23 22 0:5 / /dev rw - devtmpfs udev rw\n"
	"30 22 0:40 / /home rw,relatime shared:7 master:2 - nfs4 server:/home rw,vers=4.2,hard\n"
	"31 22 0:41 / /mnt/with\\040space rw - fuse.sshfs me@there: rw\n"
	"32 22 0:42 / /srv rw - cifs //nas/srv rw\n"
	"33 22 0:43 / /what rw - newfs none rw\n"
	"34 22 8:2 / /home/local rw - xfs /dev/sda2 rw\n";

TEST(mounts, local_types_and_others)
{
	struct mounts m = parsed(host, NULL);

	CHECK_INT(m.points.len, 7);
	CHECK(mounts_is_local(&m, 8, 1));
	CHECK(mounts_is_local(&m, 8, 2));
	CHECK(mounts_is_local(&m, 0, 5));
	CHECK(!mounts_is_local(&m, 0, 40));
	CHECK(!mounts_is_local(&m, 0, 41));
	CHECK(!mounts_is_local(&m, 0, 42));
	CHECK(!mounts_is_local(&m, 0, 43)); /* an unknown type */
	CHECK(!mounts_is_local(&m, 9, 9)); /* not mounted */
	CHECK(!mounts_are_local(&m));
	CHECK_STR(m.points.data[3].path, "/mnt/with space");
	mounts_release(&m);
}

TEST(mounts, what_lies_at_a_path)
{
	struct mounts m = parsed(host, NULL);

	CHECK(mounts_path_is_local(&m, "/usr/bin/cprof"));
	CHECK(mounts_path_is_local(&m, "/"));
	CHECK(mounts_path_is_local(&m, "/homes/x"));
	CHECK(!mounts_path_is_local(&m, "/home/x"));
	CHECK(!mounts_path_is_local(&m, "/home"));
	CHECK(mounts_path_is_local(&m, "/home/local/x"));
	CHECK(!mounts_path_is_local(&m, "/mnt/with space/x"));
	CHECK_STR(mounts_remote_point(&m, "/home/x/y"), "/home");
	CHECK(!mounts_remote_point(&m, "/home/local/y"));
	CHECK(!mounts_remote_point(&m, "home/x"));
	mounts_release(&m);
}

static bool overlay_on_host(const char *options)
{
	struct mounts ours = parsed(host, NULL), m;
	char text[512];
	bool local;

	snprintf(text, sizeof(text), "90 1 0:60 / / rw - overlay overlay rw,%s\n", options);
	m = parsed(text, &ours);
	local = mounts_is_local(&m, 0, 60);
	mounts_release(&m);
	mounts_release(&ours);
	return local;
}

TEST(mounts, an_overlay_is_as_good_as_its_layers)
{
	CHECK(overlay_on_host("lowerdir=/var/lib/a:/var/lib/b,upperdir=/var/c,workdir=/var/d"));
	CHECK(!overlay_on_host("lowerdir=/var/lib/a:/home/b,upperdir=/var/c,workdir=/var/d"));
	CHECK(!overlay_on_host("lowerdir=/var/lib/a,upperdir=/mnt/with\\040space/c"));
	CHECK(!overlay_on_host("lowerdir+=/var/a,lowerdir+=/home/b"));
	CHECK(!overlay_on_host("lowerdir=/var/lib/a::/srv/data"));
	CHECK(!overlay_on_host("lowerdir=l/ABC:l/DEF")); /* relative to an unknown directory */
	CHECK(overlay_on_host("lowerdir=/home/local/a"));
}

/* In a container the layers lie where no process inside can see them. */
TEST(mounts, an_overlay_among_local_file_systems)
{
	struct mounts m = parsed("50 1 0:60 / / rw - overlay overlay "
				 "rw,lowerdir=/docker/l/A,upperdir=/docker/B\n"
				 "51 50 0:61 / /proc rw - proc proc rw\n"
				 "52 50 0:62 / /dev rw - tmpfs tmpfs rw\n"
				 "53 50 0:63 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
				 NULL);

	CHECK(mounts_is_local(&m, 0, 60));
	CHECK(mounts_are_local(&m));
	mounts_release(&m);
}

TEST(mounts, lines_that_make_no_sense)
{
	struct mounts m = parsed("\n\nnothing\n - \n1 2 3 - ext4\n1 2 x:y / / rw - ext4 a b\n"
				 "1 2 8:1 / /a\\9\\04 rw - ext4\n1 2 8:3 /",
				 NULL);

	CHECK_INT(m.points.len, 1);
	CHECK_STR(m.points.data[0].path, "/a\\9\\04");
	mounts_release(&m);
}

TEST(mounts, types_by_number)
{
	CHECK(mounts_magic_is_local(0xef53)); /* ext4 */
	CHECK(mounts_magic_is_local(0x01021994)); /* tmpfs */
	CHECK(!mounts_magic_is_local(0x65735546)); /* FUSE */
	CHECK(!mounts_magic_is_local(0x6969)); /* NFS */
	CHECK(!mounts_magic_is_local(0x794c7630)); /* overlayfs, which is local if its layers are */
	CHECK(!mounts_magic_is_local(0));
}

TEST(mounts, of_this_process)
{
	struct mounts m = {0};
	struct stat st;

	CHECK_INT(mounts_read(0, NULL, &m), 0);
	CHECK(!stat("/proc/self", &st));
	CHECK(mounts_is_local(&m, major(st.st_dev), minor(st.st_dev)));
	CHECK(mounts_path_is_local(&m, "/proc/self"));
	mounts_release(&m);
	CHECK_INT(mounts_read(0x7fffffff, NULL, &m), -ESRCH);
}
