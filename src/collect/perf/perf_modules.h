/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers the files that targets map, in perf mode. Each gets its number when its first mapping is
 * seen, and then other threads open and compile it (module_store.h).
 */
#ifndef CPROF_COLLECT_PERF_MODULES_H
#define CPROF_COLLECT_PERF_MODULES_H

#include "base/log.h"
#include "collect/perf/address_space.h"
#include "collect/session/module_set.h"

struct perf_modules;

/* Takes what module_set_new() takes. */
int perf_modules_new(const struct log *log, struct module_store *store,
		     struct perf_modules **out) MUST_CHECK;
void perf_modules_free(struct perf_modules *m);

/* Returns where an executable mapping of `tgid` leads, and requests its file if necessary. */
struct space_map perf_modules_map(struct perf_modules *m, pid_t tgid, const struct map_entry *e);

/*
 * Finds the part of a mapping without a file of its own that is text of a file (moved_text.h).
 * `maps` is everything that the process maps. Returns false if there is none.
 */
bool perf_modules_moved(struct perf_modules *m, pid_t tgid, const map_vec *maps,
			const struct map_entry *e, struct space_map *out);

/* Returns a module's rows, which are valid until the next call. Returns NULL when it has none, or
 * none yet. */
const struct rows *perf_modules_rows(struct perf_modules *m, u32 number);

struct module_set *perf_modules_set(struct perf_modules *m); /* borrowed */

#endif
