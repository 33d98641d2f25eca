/* SPDX-License-Identifier: Apache-2.0 */
/* Parses /proc/PID/maps within bounds (proc(5)). A path may hold any byte except NUL and
 * newline. */
#ifndef CPROF_TARGET_MAPS_H
#define CPROF_TARGET_MAPS_H

#include <sys/types.h>

#include "base/bytes.h"
#include "base/types.h"
#include "base/vec.h"

struct map_entry {
	u64 start, end, offset, inode;
	u32 dev_major, dev_minor;
	bool readable, writable, executable, shared;
	bool deleted; /* the path ended in " (deleted)", which is cut off */
	/* owned; "" for anonymous memory; names like "[vdso]" are kept; octal escapes are undone */
	char *path;
};

typedef VEC(struct map_entry) map_vec;

/* Returns whether both are mapped from the same file, which need not have a name any more. */
bool map_is_same_file(const struct map_entry *a, const struct map_entry *b);

/* Appends the entries of a maps file's text. Lines that do not parse are skipped. Returns 0 or
 * -ENOMEM. */
int maps_parse(struct bytes text, map_vec *out) MUST_CHECK;
int maps_read(pid_t tgid,
	      map_vec *out) MUST_CHECK; /* at most 64 MiB of text; -ESRCH, -EACCES, ... */
/* Returns whether an address is in the stack of the process' first thread; false if unknown. */
bool maps_in_main_stack(pid_t tgid, u64 address);
void maps_release(map_vec *v);

#endif
