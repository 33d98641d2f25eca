/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes on the lock functions of the C libraries that targets have mapped (pthread mutexes,
 * rwlocks, spin locks, semaphores, condition variables: POSIX). Each function gets an entry probe,
 * attached for one process at a time.
 */
#ifndef CPROF_COLLECT_LOCK_PROBES_H
#define CPROF_COLLECT_LOCK_PROBES_H

#include "collect/probe/probe_set.h"

struct lock_probes;

struct hold_programs {
	int entry; /* the descriptor of the program */
	bool links; /* it was loaded for uprobe_multi links */
	struct uprobe_pins *pins; /* borrowed */
	u32 kernel; /* enum probe_kernel */
	struct readers *readers; /* borrowed, like the log */
	struct module_set *modules; /* the recording's modules, which open files; borrowed */
	const struct log *log;
};

int lock_probes_new(const struct hold_programs *programs, struct lock_probes **out) MUST_CHECK;
void lock_probes_free(struct lock_probes *d); /* detaches; NULL is allowed */
struct probe_set *lock_probes_set(struct lock_probes *d); /* borrowed */

#endif
