/* SPDX-License-Identifier: Apache-2.0 */
/* Converts counted waits to samples: their values by kind of profile, and their labels. */
#ifndef CPROF_COLLECT_WAIT_SAMPLES_H
#define CPROF_COLLECT_WAIT_SAMPLES_H

#include "collect/wait/lock_names.h"
#include "collect/session/stack_store.h"

enum wait_samples_kind {
	/* waits, time; with owners two more values; labels lock, address, result */
	WAIT_READ_LOCKS,
	WAIT_READ_HOLDS, /* acquisitions, contentions, time held; labels lock, address, kind */
	WAIT_READ_CAUSES, /* waits, time; label cause */
	WAIT_READ_STATES, /* time running, runnable, blocked, all */
};

struct wait_samples {
	enum wait_samples_kind kind;
	u32 causes; /* 1 << enum wait_cause for each wanted one; 0 for all */
	struct lock_names *names; /* of locks */
	char address[32]; /* of the label that was last requested */
};

struct sample_mapping wait_mapping(struct wait_samples *r);

#endif
