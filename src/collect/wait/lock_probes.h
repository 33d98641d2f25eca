/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lock functions of the C libraries that targets have mapped (pthread mutexes, rwlocks, spin locks,
 * semaphores, condition variables: POSIX), with an entry probe on each, attached for one process at a time.
 */
#ifndef CPROF_COLLECT_HOLD_DOORS_H
#define CPROF_COLLECT_HOLD_DOORS_H

#include "base/error.h"
#include "base/log.h"
#include "base/types.h"
#include "collect/probe/uprobe_pins.h"

#include <sys/types.h>

struct hold_doors;

struct hold_programs {
	int entry; /* the program's fd */
	bool links; /* it was loaded for uprobe_multi links */
	struct uprobe_pins *pins; /* borrowed */
	u32 kernel; /* enum probe_kernel */
	struct readers *readers; /* borrowed, as is the log */
	const struct log *log;
};

int hold_doors_new(const struct hold_programs *programs, struct hold_doors **out) MUST_CHECK;
void hold_doors_free(struct hold_doors *d); /* detaches; NULL is fine */
void hold_doors_detach(struct hold_doors *d);

/*
 * Attaches to what a process has mapped and had not when it was looked through before. -ESRCH: it has ended,
 * or is about to. One thread may do this while others ask for numbers.
 */
int hold_doors_add_process(struct hold_doors *d, pid_t tgid, struct error *err) MUST_CHECK;
/* Lets go of what was attached to a process: its number may be that of another one now. */
void hold_doors_forget(struct hold_doors *d, pid_t tgid);
/* The same for all that have ended. */
void hold_doors_forget_ended(struct hold_doors *d);

u32 hold_doors_count(const struct hold_doors *d); /* probes attached so far */
u32 hold_doors_cost(const struct hold_doors *d); /* nanoseconds of the dearest: an estimate */

#endif
