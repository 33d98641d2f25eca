/* SPDX-License-Identifier: Apache-2.0 */
/* Containers and units by the paths of control groups. */
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "collect/session/place_table.h"
#include "target/container.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define POD "8f1c2d3e-1111-2222-3333-abcdefabcdef"
#define POD_ "8f1c2d3e_1111_2222_3333_abcdefabcdef"

static struct process_place parsed(const char *text)
{
	struct process_place place;

	place_parse((struct bytes){(const u8 *)text, strlen(text)}, &place);
	return place;
}

static void check_place(const char *path, const char *container, const char *unit)
{
	struct process_place place;
	char text[1024];

	snprintf(text, sizeof(text), "0::%s\n", path);
	place = parsed(text);
	CHECK_STR(place.container, container);
	CHECK_STR(place.unit, unit);
}

TEST(container, docker_and_podman)
{
	check_place("/system.slice/docker-" ID ".scope", "docker:" ID, "docker-" ID ".scope");
	check_place("/docker/" ID, "docker:" ID, "");
	check_place("/docker/" ID "/child/deep", "docker:" ID, "");
	check_place("/machine.slice/libpod-" ID ".scope/container", "podman:" ID,
		    "libpod-" ID ".scope");
	check_place("/libpod_parent/libpod-" ID, "podman:" ID, "");
	check_place("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope",
		    "podman:" ID, "libpod-" ID ".scope");
	check_place("/default/" ID, "containerd:" ID, "");
	check_place("/some/" ID, "container:" ID, "");
	check_place("/lxc.payload.web/system.slice/ssh.service", "lxc:web", "ssh.service");
	check_place("/lxc/web", "lxc:web", "");
	check_place("/machine.slice/machine-debian.scope/payload", "machine:debian",
		    "machine-debian.scope");
	/* The process that watches a container is outside of it. */
	check_place("/machine.slice/libpod-conmon-" ID ".scope", "", "libpod-conmon-" ID ".scope");
}

TEST(container, pods)
{
	check_place("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" POD_
		    ".slice/cri-containerd-" ID ".scope",
		    "kubernetes:" POD "/" ID, "cri-containerd-" ID ".scope");
	check_place("/kubepods/burstable/pod" POD "/" ID, "kubernetes:" POD "/" ID, "");
	check_place("/kubepods/besteffort/pod" POD "/crio-" ID, "kubernetes:" POD "/" ID, "");
	check_place("/kubepods.slice/kubepods-pod" POD_ ".slice", "kubernetes:" POD,
		    "kubepods-pod" POD_ ".slice");
	check_place("/kubepods/burstable/pod0123456789abcdef0123456789abcdef/" ID,
		    "kubernetes:0123456789abcdef0123456789abcdef/" ID, "");
	check_place("/system.slice/kubepods-burstable-pod" POD_ ".slice:cri-containerd:" ID,
		    "kubernetes:" POD "/" ID, "system.slice");
	/* Kubernetes in a container: the innermost one is that of the process. */
	check_place("/system.slice/docker-" ID ".scope/kubelet/kubepods/pod" POD "/" ID,
		    "kubernetes:" POD "/" ID, "docker-" ID ".scope");
}

TEST(container, units)
{
	check_place("/system.slice/ssh.service", "", "ssh.service");
	check_place("/user.slice/user-0.slice/session-3.scope", "", "session-3.scope");
	check_place("/system.slice", "", "system.slice");
	check_place("/", "", "");
	check_place("/../../system.slice/cron.service", "", "cron.service");
}

TEST(container, hierarchies_of_version_1)
{
	struct process_place place = parsed("9:name=systemd:/system.slice/web.service\n"
					    "4:memory:/docker/" ID "\n"
					    "1:cpu,cpuacct:/other\n"
					    "0::/\n");

	CHECK_STR(place.container, "docker:" ID);
	CHECK_STR(place.unit, "web.service");
}

TEST(container, hostile_paths)
{
	char text[9000];

	check_place("/docker/0123456789AB", "", "");
	check_place("/docker/../../etc", "", "");
	check_place("/docker-.scope", "", "docker-.scope");
	check_place("/pod", "", "");
	check_place("/kubepods-pod" POD_ "ffff.slice", "", "kubepods-pod" POD_ "ffff.slice");
	check_place("/\xff\n.service", "", "");
	check_place("//////", "", "");
	CHECK_STR(parsed("").unit, "");
	CHECK_STR(parsed("0").unit, "");
	CHECK_STR(parsed("0:").unit, "");
	CHECK_STR(parsed("::::\n:\n\n").unit, "");
	memset(text, 'a', sizeof(text));
	memcpy(text, "0::/", 4);
	memcpy(text + sizeof(text) - 9, ".service", 9);
	CHECK_STR(parsed(text).unit, "");
}

TEST(container, a_process_is_read)
{
	struct process_place place;

	CHECK_INT(place_read(getpid(), &place), 0);
	CHECK_INT(place_read(0x7ffffff0, &place), -ESRCH);
}

TEST(container, places_are_bounded)
{
	struct place_table t = {0};
	struct process_place place = {0};

	CHECK_INT(place_table_put(&t, &place), PLACE_NONE);
	for (u32 i = 0; i < PLACES_MAX + 10; i++) {
		snprintf(place.unit, sizeof(place.unit), "%u.service", i);
		CHECK_INT(place_table_put(&t, &place), i < PLACES_MAX ? i + 1 : PLACE_NONE);
	}
	snprintf(place.unit, sizeof(place.unit), "7.service");
	CHECK_INT(place_table_put(&t, &place), 8);
	CHECK_STR(place_table_get(&t, 8, PLACE_NONE)->unit, "7.service");
	CHECK(!place_table_get(&t, PLACE_NONE, PLACE_NONE));
	CHECK(place_table_bytes(&t) > PLACES_MAX * 10);
	place_table_release(&t);
}

/* A process that is gone is where another one with the same control groups is, seen before or
 * after it. */
TEST(container, processes_that_are_gone)
{
	const struct thread_id gone = {.tgid = {0x7ffffff0}, .groups = 0x1000},
			       here = {.tgid = {(u32)getpid()}, .groups = 0x1000},
			       other = {.tgid = {0x7ffffff0}, .groups = 0x2000};
	struct process_place place;
	struct place_table t = {0};
	u32 before, after, own, group;

	CHECK_INT(place_read(getpid(), &place), 0);
	CHECK_INT(place_table_of(&t, &gone, &before), PLACE_NONE);
	own = place_table_of(&t, &here, &group);
	CHECK_INT(group, before);
	CHECK(place_table_get(&t, PLACE_NONE, before) == place_table_get(&t, own, group));
	CHECK_INT(place_table_of(&t, &gone, &after), own);
	CHECK_INT(after, before);
	CHECK_INT(place_table_of(&t, &other, &after), PLACE_NONE);
	CHECK(after != before && !place_table_get(&t, PLACE_NONE, after));
	CHECK_INT(own != PLACE_NONE, place.container[0] || place.unit[0]);
	place_table_release(&t);
}
