/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that targets map, in perf mode: each numbered when its first mapping is seen, and opened and compiled by
 * other threads (module_loader.h) from then on.
 */
#ifndef CPROF_COLLECT_PERF_MODULES_H
#define CPROF_COLLECT_PERF_MODULES_H

#include "base/log.h"
#include "collect/perf/address_space.h"
#include "collect/session/module_set.h"
#include "unwind/rows.h"

struct perf_modules;

int perf_modules_new(const struct log *log, struct readers *readers,
		     struct perf_modules **out) MUST_CHECK;
void perf_modules_free(struct perf_modules *m);

/* Where an executable mapping of `tgid`'s leads to; its file is asked for when nobody has yet. */
struct space_map perf_modules_map(struct perf_modules *m, pid_t tgid, const struct map_entry *e);

/* Takes in what has been loaded; true when there was something. */
bool perf_modules_take(struct perf_modules *m);
/* Takes in all that was asked for, but for what takes longer than any file should. */
void perf_modules_wait(struct perf_modules *m);
void perf_modules_begin(struct perf_modules *m); /* files that come from now on are late */

bool perf_modules_is_loading(const struct perf_modules *m, u32 number);
/* A module's rows; NULL when it has none, or none yet. */
const struct rows *perf_modules_rows(const struct perf_modules *m, u32 number);
const struct unwind_rule *perf_modules_rules(const struct perf_modules *m); /* UNWIND_MAX_RULES */

struct module_set *perf_modules_set(struct perf_modules *m);
u64 perf_modules_count(const struct perf_modules *m); /* modules with rows */
u64 perf_modules_late(const struct perf_modules *m); /* of these, those that came while recording */
u64 perf_modules_row_count(const struct perf_modules *m);

#endif
