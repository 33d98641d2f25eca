/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Downloads debug files by their build ID from debuginfod servers (debuginfod(8)). The work is done
 * by libdebuginfod, which is loaded only then, in a process of its own that acts as the user who
 * started cprof: a server that does not answer costs nothing but that process, and the files go to
 * that user's cache, which other tools share.
 */
#ifndef CPROF_SYMBOL_DEBUGINFOD_H
#define CPROF_SYMBOL_DEBUGINFOD_H

#include "base/helper_process.h"
#include "elf/elf_file.h"

#define DEBUGINFOD_FILES 64u /* the most files of one recording */
#define DEBUGINFOD_BYTES (1ull << 30) /* of one file; DEBUGINFOD_MAXSIZE may be less */
#define DEBUGINFOD_SECONDS 60u /* for one file; DEBUGINFOD_MAXTIME may be less */

enum debuginfod_state {
	DEBUGINFOD_WAITING,
	DEBUGINFOD_HERE,
	DEBUGINFOD_FAILED, /* see `err` */
};

struct debuginfod_file {
	struct build_id id;
	enum debuginfod_state state;
	int err; /* -ENOENT if no server has it; -ENOSYS if there is no libdebuginfod */
	u64 received, size; /* bytes; size is 0 while it is unknown */
	int fd; /* the debug file, owned; -1 if it is not here */
	int alt_fd; /* its supplementary file (dwz), owned; -1 if it has none, or none is here */
};

struct debuginfod;

/*
 * `urls` is a list with blanks, as in DEBUGINFOD_URLS. Nothing is started before the first request.
 * `urls` is copied.
 */
int debuginfod_new(const char *urls, struct debuginfod **out) MUST_CHECK;
/* Ends the process at once, and closes the files. NULL is allowed. */
void debuginfod_free(struct debuginfod *d);

/* Requests a file, once for each build ID. Returns 0; -ENOSPC after DEBUGINFOD_FILES; or another
 * negative errno. */
int debuginfod_request(struct debuginfod *d, const struct build_id *id) MUST_CHECK;

/* Takes in what has come, for at most `timeout_ms`. Returns whether something came. */
bool debuginfod_poll(struct debuginfod *d, int timeout_ms);

/* Returns whether a request has no answer yet. */
bool debuginfod_is_waiting(const struct debuginfod *d);

/* Returns what became of a request, borrowed; NULL if there was none. */
const struct debuginfod_file *debuginfod_find(const struct debuginfod *d,
					      const struct build_id *id);
struct helper_cost debuginfod_cost(const struct debuginfod *d);

#endif
