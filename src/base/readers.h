/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that open and read files for cprof, wherever it is not known that the file system will answer.
 *
 * A request that a FUSE or network file system has sent and that is not answered cannot be interrupted: the
 * thread stays in the kernel (state D), and neither Ctrl-C nor SIGKILL ends its process. open(), stat(), read(),
 * close() and page faults on a mapping all do that. So a process of its own does it, which hands back a
 * descriptor when the file turns out to be on a local file system, and copies what is asked for otherwise. When it
 * does not answer in time it is left to itself: it has nothing of cprof's open, and ends when its file system does
 * answer.
 *
 * All functions may be called from several threads.
 */
#ifndef CPROF_BASE_READERS_H
#define CPROF_BASE_READERS_H

#include <sys/types.h>

#include "base/input_file.h"

#define READERS_ANSWER_MS 3000u /* for one step: an open, or a megabyte */
#define READERS_AGAIN_MS 10000u /* how long after it did not answer a device is asked again */
#define READERS_PATH_MAX 256 /* of a path in messages */

struct readers;

int readers_new(struct readers **out) MUST_CHECK;
/*
 * Forks the process that the others are forked from: best while cprof has one thread, little memory, and no
 * BPF maps mapped, which a reader that hangs would keep. Else the first request does it.
 */
int readers_start(struct readers *r);
/* One more owner, who frees it, too; returns `r`. */
struct readers *readers_share(struct readers *r);
/* With the last owner they go. NULL is fine; input files are closed before. */
void readers_free(struct readers *r);

/* Whether files that `tgid` maps from this device can be read without help. */
bool readers_device_is_local(struct readers *r, pid_t tgid, u32 dev_major, u32 dev_minor);

/* Whether what lies there answers as far as is known; symbolic links are not followed. */
bool readers_path_is_local(struct readers *r, const char *path);

#define READERS_ANY_DEVICE 0

/* How a file is opened: a function of this program, which the reader calls. */
struct file_opener {
	int (*open)(const void *arg, size_t size, const int *fds, u32 nfds); /* a descriptor */
	const void *arg; /* is copied: no pointers in it */
	size_t size; /* at most READERS_ARG_MAX */
	const int *fds; /* the reader gets its own of each */
	u32 nfds; /* at most READERS_FDS_MAX */
	/*
	 * What has one device number is read by one process. READERS_ANY_DEVICE: the file may be anywhere; when the
	 * reader does not answer, what has the same `place` is not tried again.
	 */
	u64 device;
	const char *place;
	const char *path; /* for messages */
};

#define READERS_ARG_MAX 32768u
#define READERS_FDS_MAX 2u

/*
 * 0, -ETIMEDOUT (it, or another file of this device, did not answer in time), what open() returned, or
 * -EAGAIN: no process could be started. Only regular files: else -EINVAL.
 */
int readers_open(struct readers *r, const struct file_opener *o, struct input_file *out) MUST_CHECK;

/* What could not be read because it did not answer. */
struct readers_unanswered {
	u32 files;
	char paths[3][READERS_PATH_MAX]; /* the first ones */
};

void readers_unanswered(struct readers *r, struct readers_unanswered *out);
/* What a fork of this process found out with its copy of `r`. */
void readers_learn(struct readers *r, const struct readers_unanswered *from);
/* First thing in such a fork, where nobody holds a lock any more. */
void readers_forked(struct readers *r);
/* Such a fork was killed, perhaps in the middle of an exchange: every file is asked of new readers. */
void readers_renew(struct readers *r);

#endif
