/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds out in which container and which systemd unit a process is, from the paths of its control
 * groups (/proc/PID/cgroup, cgroups(7)). Runtimes put the container's ID into the path, and so does
 * Kubernetes with the pod's UID:
 *
 *   /system.slice/docker-ID.scope                     docker with systemd
 *   /docker/ID                                        docker with cgroupfs
 *   /machine.slice/libpod-ID.scope/container          podman
 *   /kubepods.slice/kubepods-burstable-podUID.slice/cri-containerd-ID.scope
 *   /kubepods/burstable/podUID/ID
 *   /lxc.payload.NAME/..., /machine.slice/machine-NAME.scope
 *
 * Whoever runs the process may have made these groups, so names are only as true as their maker.
 */
#ifndef CPROF_TARGET_CONTAINER_H
#define CPROF_TARGET_CONTAINER_H

#include <sys/types.h>

#include "base/bytes.h"

struct process_place {
	/* "docker:ID", "podman:ID", "kubernetes:UID/ID", "lxc:NAME", ...; "" for none */
	char container[192];
	char unit[256]; /* "ssh.service", or the slice if there is neither service nor scope; "" */
};

/* Reads the text of /proc/PID/cgroup. Of several hierarchies the unified one comes first. */
void place_parse(struct bytes text, struct process_place *out);
/* Does the same for a process; -ESRCH or another negative errno. */
int place_read(pid_t tgid, struct process_place *out) MUST_CHECK;

/* Does the same for a control group of the unified hierarchy, by its inode. -ESTALE if it is gone,
 * -ENOENT if the hierarchy is not mounted, or another negative errno. */
int place_of_group(u64 id, struct process_place *out) MUST_CHECK;

#endif
