/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts how many recordings of the store have probes in a process. Breakpoints in its code are
 * then nobody's leftovers, and they do not disappear when one of these recordings ends, so nothing
 * waits for that (leftovers.h, uprobe_pins.h).
 *
 * All functions may be called from several threads.
 */
#ifndef CPROF_COLLECT_PROBED_PROCESSES_H
#define CPROF_COLLECT_PROBED_PROCESSES_H

#include <sys/types.h>

#include "base/error.h"

struct probed_processes;

int probed_processes_new(struct probed_processes **out) MUST_CHECK;
void probed_processes_free(struct probed_processes *p); /* NULL is allowed */

/* A recording has probes in the process now. Returns false without memory, and then it must not be
 * removed. */
bool probed_processes_add(struct probed_processes *p, pid_t tgid) MUST_CHECK;
/* It has none any more, or is about to remove them. */
void probed_processes_remove(struct probed_processes *p, pid_t tgid);
/* Returns the number of recordings that have probes in it. */
u32 probed_processes_count(struct probed_processes *p, pid_t tgid);

#endif
