/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes on the lock functions of the C libraries that targets have mapped (pthread mutexes,
 * rwlocks, spin locks, semaphores, condition variables: POSIX). Each function gets an entry probe,
 * attached for one process at a time.
 */
#ifndef CPROF_COLLECT_LOCK_PROBES_H
#define CPROF_COLLECT_LOCK_PROBES_H

#include "base/error.h"
#include "base/log.h"
#include "base/types.h"
#include "collect/probe/uprobe_pins.h"
#include "collect/session/module_set.h"

#include <sys/types.h>

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
void lock_probes_detach(struct lock_probes *d);

/*
 * Attaches to what a process has mapped since it was last searched. Returns -ESRCH if it has ended,
 * or is about to. One thread may do this while others query numbers.
 */
int lock_probes_add_process(struct lock_probes *d, pid_t tgid, struct error *err) MUST_CHECK;
/* Releases what was attached to a process, because its number may now belong to another one. */
void lock_probes_forget(struct lock_probes *d, pid_t tgid);
/* Does the same for all that have ended. */
void lock_probes_forget_ended(struct lock_probes *d);

u32 lock_probes_count(const struct lock_probes *d); /* probes attached so far */

#endif
