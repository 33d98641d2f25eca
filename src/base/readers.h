/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that open and read files for cprof wherever it is not known that the file system will
 * answer.
 *
 * A request that a FUSE or network file system has sent and that is not answered cannot be
 * interrupted. The thread stays in the kernel (state D), and neither Ctrl-C nor SIGKILL ends its
 * process. open(), stat(), read(), close() and page faults on a mapping can all block like that. So
 * a separate process makes the request. It hands back a descriptor if the file turns out to be on a
 * local file system, and otherwise copies the requested parts. If it does not answer in time it is
 * abandoned: it has nothing of cprof's open, and it ends once its file system does answer.
 *
 * All functions may be called from several threads.
 */
#ifndef CPROF_BASE_READERS_H
#define CPROF_BASE_READERS_H

#include <sys/types.h>

#include "base/input_file.h"

#define READERS_ANSWER_MS 3000u /* for one step, which is an open or a megabyte */
#define READERS_AGAIN_MS 10000u /* how long a device is left alone after it did not answer */
#define READERS_PATH_MAX 256 /* how much of a path is kept for messages */

struct readers;

int readers_new(struct readers **out) MUST_CHECK;
/*
 * Forks the process that the others are forked from. This is best done while cprof has one thread,
 * little memory, and no BPF maps mapped, because a reader that hangs would keep them. Otherwise the
 * first request does it.
 */
int readers_start(struct readers *r);
/* Adds an owner, which frees it as well; returns `r`. */
struct readers *readers_share(struct readers *r);
/* Drops one owner; the last one ends the processes. NULL is allowed. Input files must be closed
 * before. */
void readers_free(struct readers *r);

/* Returns whether the files that `tgid` maps from this device can be read without a reader. */
bool readers_device_is_local(struct readers *r, pid_t tgid, u32 dev_major, u32 dev_minor);

/* Returns whether that path is known to answer; symbolic links are not followed. */
bool readers_path_is_local(struct readers *r, const char *path);

#define READERS_ANY_DEVICE 0

/* Describes how a file is opened: by a function of this program, which the reader calls. */
struct file_opener {
	/* returns a descriptor */
	int (*open)(const void *arg, size_t size, const int *fds, u32 nfds);
	const void *arg; /* copied to the reader, so it must not contain pointers */
	size_t size; /* at most READERS_ARG_MAX */
	const int *fds; /* the reader gets its own copy of each */
	u32 nfds; /* at most READERS_FDS_MAX */
	/*
	 * One process reads everything of one device number. With READERS_ANY_DEVICE the file may
	 * be anywhere; if the reader does not answer, other files of the same `place` are not tried
	 * again.
	 */
	u64 device;
	const char *place;
	const char *path; /* for messages */
};

#define READERS_ARG_MAX 32768u
#define READERS_FDS_MAX 2u

/*
 * Returns 0; -ETIMEDOUT if it, or another file of this device, did not answer in time; what open()
 * returned; -EAGAIN if no process could be started; or -EINVAL if the file is not a regular one.
 */
int readers_open(struct readers *r, const struct file_opener *o, struct input_file *out) MUST_CHECK;

/* Lists what could not be read because it did not answer. */
struct readers_unanswered {
	u32 files;
	char paths[3][READERS_PATH_MAX]; /* the first ones */
};

void readers_unanswered(struct readers *r, struct readers_unanswered *out);
/* Adopts what a fork of this process found out with its copy of `r`. */
void readers_learn(struct readers *r, const struct readers_unanswered *from);
/* Must be the first call in such a fork, where no other thread holds a lock any more. */
void readers_forked(struct readers *r);
/* Call this after such a fork was killed, possibly in the middle of an exchange: every file is then
 * requested from new readers. */
void readers_renew(struct readers *r);

#endif
