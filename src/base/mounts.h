/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which file systems answer by themselves, and which ask somebody else who may not: a server (NFS, SMB, Ceph)
 * or a process (FUSE). Told by what is mounted, without touching any of them: even stat() would wait.
 */
#ifndef CPROF_BASE_MOUNTS_H
#define CPROF_BASE_MOUNTS_H

#include <sys/types.h>

#include "base/bytes.h"
#include "base/vec.h"

struct mount_point {
	char *path; /* as the process that it was read of sees it */
	char *dirs; /* overlayfs, while it is being read: its options */
	u32 dev_major, dev_minor; /* as /proc/PID/maps shows for files of it */
	bool overlay;
	bool local; /* answers by itself */
};

struct mounts {
	VEC(struct mount_point) points;
};

/*
 * Appends what a text of proc_pid_mountinfo(5) lists. An overlay is as good as its layers, which are looked
 * up among the mounts `ours` of cprof's own mount namespace (NULL: those of `out`). 0 or -ENOMEM.
 */
int mounts_parse(struct bytes text, const struct mounts *ours, struct mounts *out) MUST_CHECK;
/* The mounts that a process sees; `tgid` 0: our own. */
int mounts_read(pid_t tgid, const struct mounts *ours, struct mounts *out) MUST_CHECK;
void mounts_release(struct mounts *m);

/* False also for a device that is not among the mounts: one that was unmounted lazily, for example. */
bool mounts_is_local(const struct mounts *m, u32 dev_major, u32 dev_minor);
bool mounts_has(const struct mounts *m, u32 dev_major, u32 dev_minor);
/* Every one of them. */
bool mounts_are_local(const struct mounts *m);
/* What lies at an absolute path that holds no symbolic links. */
bool mounts_path_is_local(const struct mounts *m, const char *path);

/* The mount point of what lies there, when that may not answer; else NULL. Borrowed. */
const char *mounts_remote_point(const struct mounts *m, const char *path);

/* A file system type by its name in mountinfo, or by f_type of statfs(2). Overlays are not local here. */
bool mounts_type_is_local(const char *type);
bool mounts_magic_is_local(u64 magic);

#endif
