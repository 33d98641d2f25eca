/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells which file systems the kernel serves by itself and which depend on somebody who may not
 * answer: a server (NFS, SMB, Ceph) or a process (FUSE). The answer comes from the list of mounts
 * without touching any of them, because even stat() could block.
 */
#ifndef CPROF_BASE_MOUNTS_H
#define CPROF_BASE_MOUNTS_H

#include <sys/types.h>

#include "base/bytes.h"
#include "base/vec.h"

struct mount_point {
	char *path; /* as seen by the process that it was read from */
	char *dirs; /* the options of an overlayfs, while the list is being read */
	u32 dev_major, dev_minor; /* as /proc/PID/maps shows them for its files */
	bool overlay;
	bool local; /* the kernel answers by itself */
};

struct mounts {
	VEC(struct mount_point) points;
};

/*
 * Appends the mounts that a text of proc_pid_mountinfo(5) lists. An overlay is local if all its
 * layers are; these are looked up among the mounts `ours` of cprof's own mount namespace (NULL for
 * those of `out`). Returns 0 or -ENOMEM.
 */
int mounts_parse(struct bytes text, const struct mounts *ours, struct mounts *out) MUST_CHECK;
/* Reads the mounts that a process sees; `tgid` 0 is this process. */
int mounts_read(pid_t tgid, const struct mounts *ours, struct mounts *out) MUST_CHECK;
void mounts_release(struct mounts *m);

/* It is also false for a device that is not among the mounts, such as one that was unmounted
 * lazily. */
bool mounts_is_local(const struct mounts *m, u32 dev_major, u32 dev_minor);
bool mounts_has(const struct mounts *m, u32 dev_major, u32 dev_minor);
/* Returns whether every mount is local. */
bool mounts_are_local(const struct mounts *m);
/* Judges an absolute path that contains no symbolic links. */
bool mounts_path_is_local(const struct mounts *m, const char *path);

/* Returns the mount point of that path if it may not answer, else NULL. The string is borrowed. */
const char *mounts_remote_point(const struct mounts *m, const char *path);

/* Looks up a file system type by its name in mountinfo, or by f_type of statfs(2). Overlays are not
 * local here. */
bool mounts_type_is_local(const char *type);
bool mounts_magic_is_local(u64 magic);

#endif
