/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides which debug files a recording downloads (symbol/debuginfod.h): those of files that more
 * than one percent of what was recorded went through, if nothing here has their debug information.
 * Downloads begin while it is recorded, so that they are there at the end.
 */
#ifndef CPROF_RECORD_DEBUG_DOWNLOADS_H
#define CPROF_RECORD_DEBUG_DOWNLOADS_H

#include "base/log.h"
#include "base/types.h"
#include "profile/profile.h"

struct debug_downloads;

int debug_downloads_new(const char *urls, struct debug_downloads **out) MUST_CHECK;
void debug_downloads_free(struct debug_downloads *d); /* NULL is allowed */

/* Returns whether it is time to look at what was recorded in the first `elapsed_ns`. */
bool debug_downloads_are_due(const struct debug_downloads *d, u64 elapsed_ns);
/* Looks at a profile without names. Its mappings have modules as sources. `took_ns` is what making
 * the profile has cost; if that was much, it is not done again while it is recorded. */
void debug_downloads_look(struct debug_downloads *d, const struct profile *p, u64 elapsed_ns,
			  u64 took_ns);
/* Takes in what has come, without waiting. */
void debug_downloads_poll(struct debug_downloads *d);

struct debug_downloads_wait {
	bool (*stop)(void *arg); /* returns true to stop waiting; may be NULL */
	void *stop_arg;
	void (*progress)(void *arg, const char *text); /* about five times a second; may be NULL */
	void *progress_arg;
};

/*
 * Looks at the final profile, and gives its modules their debug files. It waits for downloads as
 * long as bytes come, for at most 20 s. A server that has sent nothing within 0.3 s of a request is
 * not waited for.
 */
void debug_downloads_finish(struct debug_downloads *d, struct profile *p,
			    const struct debug_downloads_wait *wait);

/* Writes what is being downloaded, such as "libc.so.6 3.1 MB"; "" if nothing is. */
void debug_downloads_progress(const struct debug_downloads *d, char *out, size_t size);
/* Writes what came of it, such as "debuginfod: libc.so.6 (5.30 MB); libx.so: no server has it"; ""
 * if nothing was requested. */
void debug_downloads_text(const struct debug_downloads *d, char *out, size_t size);

#endif
