/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where output goes: what the user's path leads to, resolved once, so that nobody can put something else
 * there between the look and the write.
 *
 * Written into as it is, is only what the user named so: an open descriptor (-, /dev/stdout, /dev/stderr,
 * /dev/fd/N), a FIFO, a terminal, /dev/null and its like. A link leads there only when root or the user owns
 * it. Anything else at the path is replaced by a new file as a whole, links included, but directories, disks,
 * sockets and other devices are refused.
 */
#ifndef CPROF_FORMAT_DESTINATION_H
#define CPROF_FORMAT_DESTINATION_H

#include "base/error.h"
#include "base/path_walk.h"

enum destination_kind {
	DESTINATION_FILE, /* a new file, which replaces what is at the path */
	DESTINATION_STREAM, /* written into; opening and writing may block for ever */
	DESTINATION_DESCRIPTOR, /* one that is open already */
};

struct destination {
	enum destination_kind kind;
	const char *path; /* as the user wrote it; borrowed */
	int fd; /* DESCRIPTOR: its number, not owned */
	struct path_end end; /* FILE: its place; STREAM: what is written into */
};

/* "cannot write X: ...". Finds out what is there, and whether it may be written. Release it in any case. */
int destination_open(struct destination *d, const char *path, struct error *err) MUST_CHECK;
void destination_release(struct destination *d);

/* Whether `path` stands for the standard output: "-" or /dev/stdout. */
bool destination_is_stdout(const char *path);

#endif
