/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds out where output goes. The user's path is resolved once, so that nobody can put something
 * else there between the check and the write.
 *
 * Some destinations are written into directly, if the user named them: an open descriptor (-,
 * /dev/stdout, /dev/stderr, /dev/fd/N), a FIFO, a terminal, or /dev/null and similar devices. A
 * link leads to one of these only if root or the user owns the link. Anything else at the path,
 * links included, is replaced as a whole by a new file, except that directories, disks, sockets and
 * other devices are refused.
 */
#ifndef CPROF_FORMAT_DESTINATION_H
#define CPROF_FORMAT_DESTINATION_H

#include "base/error.h"
#include "base/path_walk.h"

enum destination_kind {
	DESTINATION_FILE, /* a new file, which replaces what is at the path */
	DESTINATION_STREAM, /* written into directly; opening and writing may block forever */
	DESTINATION_DESCRIPTOR, /* a descriptor that is already open */
};

struct destination {
	enum destination_kind kind;
	const char *path; /* as the user wrote it; borrowed */
	int fd; /* DESCRIPTOR: its number, not owned */
	struct path_end end; /* FILE: its place; STREAM: what is written to */
};

/* Finds out what is there and whether it may be written; errors read "cannot write X: ...". Release
 * it in any case. */
int destination_open(struct destination *d, const char *path, struct error *err) MUST_CHECK;
void destination_release(struct destination *d);

/* Returns whether `path` means the standard output: "-" or /dev/stdout. */
bool destination_is_stdout(const char *path);

#endif
