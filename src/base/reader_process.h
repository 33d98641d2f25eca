/* SPDX-License-Identifier: Apache-2.0 */
/* The protocol between readers.c and the processes that it starts, over SOCK_SEQPACKET. */
#ifndef CPROF_BASE_READER_PROCESS_H
#define CPROF_BASE_READER_PROCESS_H

#include "base/readers.h"

#define READER_PIECE (1u << 20) /* how many bytes are read between two answers */

enum reader_op {
	READER_OPEN = 1, /* the argument follows, with the descriptors attached */
	READER_FETCH, /* the first one for a file carries the memory to copy it to */
	READER_CLOSE, /* has no answer */
};

struct reader_request {
	u32 op;
	u32 file; /* FETCH, CLOSE: the number that the answer to OPEN gave */
	u64 at, len; /* FETCH: whole pieces, except at the end of the file */
	int (*open)(const void *arg, size_t size, const int *fds, u32 nfds); /* OPEN */
	u32 overlay_is_local; /* OPEN: an overlay file system counts as a local one */
	u32 size; /* OPEN: size of the argument */
};

struct reader_answer {
	int err; /* 0, or a negative errno */
	u32 file;
	u32 is_served; /* OPEN: if false, the file's descriptor is attached */
	u32 pad;
	u64 done; /* FETCH: bytes so far; more answers follow until it has all of them */
	u64 size, stored, inode;
	u32 dev_major, dev_minor, uid, links;
};

/*
 * Runs the process that readers are forked from. For each socket that arrives on `control` it forks
 * one that serves the socket until it is closed. It does not return, and ends when `control` is
 * closed.
 */
void reader_spawner_run(int control) __attribute__((noreturn));

/* Sends one message with descriptors. The receiver gets at most READERS_FDS_MAX of them and closes
 * the rest. */
int reader_send(int sock, const void *head, size_t head_size, const void *body, size_t body_size,
		const int *fds, u32 nfds) MUST_CHECK;
/* Returns the number of bytes, 0 if the other end is gone, or a negative errno. *nfds is set to the
 * number of descriptors received. */
ssize_t reader_receive(int sock, void *out, size_t size, int fds[READERS_FDS_MAX],
		       u32 *nfds) MUST_CHECK;

#endif
