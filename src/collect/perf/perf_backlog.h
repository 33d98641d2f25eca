/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Perf records that wait, in their order, after a sample whose stack is in a file that is being
 * loaded. Later records (a process that execs or ends) must not change the meaning of its
 * addresses.
 */
#ifndef CPROF_COLLECT_PERF_BACKLOG_H
#define CPROF_COLLECT_PERF_BACKLOG_H

#include "base/bytes.h"

struct perf_backlog;

#define PERF_BACKLOG_MAX (64u << 20) /* in bytes */
#define PERF_BACKLOG_UNDECIDED ~0ull

int perf_backlog_new(struct perf_backlog **out) MUST_CHECK;
void perf_backlog_free(struct perf_backlog *b);

bool perf_backlog_is_empty(const struct perf_backlog *b);
/* Appends a copy of a record. `taken` is how many samples it is, once that has been decided. It is
 * false if there is no space. */
bool perf_backlog_put(struct perf_backlog *b, struct bytes raw, u64 taken);
/* Gives the oldest one, borrowed until it is dropped; *taken may be changed there. It is false if
 * there is none. */
bool perf_backlog_first(struct perf_backlog *b, struct bytes *raw, u64 **taken);
void perf_backlog_drop(struct perf_backlog *b);

#endif
