/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that targets map, in perf mode: each opened once, numbered, and compiled into rows when
 * the first stack passes through it.
 */
#ifndef CPROF_COLLECT_PERF_MODULES_H
#define CPROF_COLLECT_PERF_MODULES_H

#include "base/log.h"
#include "collect/address_space.h"
#include "collect/module_set.h"
#include "unwind/rows.h"

struct perf_modules;

int perf_modules_new(const struct log *log, struct readers *readers,
		     struct perf_modules **out) MUST_CHECK;
void perf_modules_free(struct perf_modules *m);

/* Where an executable mapping of `tgid`'s leads to. */
struct space_map perf_modules_map(struct perf_modules *m, pid_t tgid, const struct map_entry *e);

/* Compiles what has been mapped so far: not while samples wait. */
void perf_modules_compile(struct perf_modules *m);
/* A module's rows; NULL when it has none. Compiled now if need be. */
const struct rows *perf_modules_rows(struct perf_modules *m, u32 number);
const struct unwind_rule *perf_modules_rules(const struct perf_modules *m); /* UNWIND_MAX_RULES */

struct module_set *perf_modules_set(struct perf_modules *m);
u64 perf_modules_count(const struct perf_modules *m); /* modules with rows */
u64 perf_modules_late(const struct perf_modules *m); /* of these, compiled for a sample */
u64 perf_modules_row_count(const struct perf_modules *m);

#endif
