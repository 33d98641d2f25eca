/* SPDX-License-Identifier: Apache-2.0 */
/* What readers.c and the processes that it starts say to each other, over SOCK_SEQPACKET. */
#ifndef CPROF_BASE_READER_PROCESS_H
#define CPROF_BASE_READER_PROCESS_H

#include "base/readers.h"

#define READER_PIECE (1u << 20) /* bytes that are read between two answers */

enum reader_op {
	READER_OPEN = 1, /* the argument follows, descriptors come along */
	READER_FETCH, /* the first for a file brings the memory that it is copied to */
	READER_CLOSE, /* has no answer */
};

struct reader_request {
	u32 op;
	u32 file; /* FETCH, CLOSE: as the answer to OPEN numbered it */
	u64 at, len; /* FETCH; whole pieces but for the file's end */
	int (*open)(const void *arg, size_t size, const int *fds, u32 nfds); /* OPEN */
	u32 overlay_is_local; /* OPEN: an overlay file system is as good as a local one */
	u32 size; /* OPEN: of the argument */
};

struct reader_answer {
	int err; /* 0, or a negative errno */
	u32 file;
	u32 is_served; /* OPEN: else the file's descriptor comes along */
	u32 pad;
	u64 done; /* FETCH: bytes so far; there are more answers until all are */
	u64 size, stored, inode;
	u32 dev_major, dev_minor, uid, links;
};

/*
 * The process that readers are forked from: for each socket that comes along on `control` a new one, which serves
 * it until it is closed. Does not return, and ends when `control` is closed.
 */
void reader_spawner_run(int control) __attribute__((noreturn));

/* One message with descriptors. The receiving end gets at most READERS_FDS_MAX; more are closed. */
int reader_send(int sock, const void *head, size_t head_size, const void *body, size_t body_size,
		const int *fds, u32 nfds) MUST_CHECK;
/* Bytes, 0 when the other end is gone, or a negative errno. *nfds is set to what came along. */
ssize_t reader_receive(int sock, void *out, size_t size, int fds[READERS_FDS_MAX],
		       u32 *nfds) MUST_CHECK;

#endif
