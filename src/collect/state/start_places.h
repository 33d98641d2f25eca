/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds where the C libraries of a recording keep the start routines of threads, and tells the
 * programs in the kernel. glibc describes its struct pthread for debuggers (nptl_db/structs.def),
 * with symbols that libthread_db reads as well.
 */
#ifndef CPROF_COLLECT_START_PLACES_H
#define CPROF_COLLECT_START_PLACES_H

#include "base/bpf_shared.h"
#include "collect/session/bpf_session.h"

struct start_places;

/* `map_fd` maps numbers of modules to places (bpf/shared/created.h); the session is borrowed. */
int start_places_new(struct bpf_session *s, int map_fd, struct start_places **out) MUST_CHECK;
void start_places_free(struct start_places *p); /* NULL is allowed */

/* Looks at the modules that have come since the last call. */
void start_places_update(struct start_places *p);

/*
 * Returns the frame of the start routine of a thread that is running, or 0 if it is not known. It
 * reads the thread's memory and its process' mappings, and keeps those of the last process until
 * start_places_rest().
 */
u64 start_places_find(struct start_places *p, const struct created_record *thread);
void start_places_rest(struct start_places *p);

#endif
