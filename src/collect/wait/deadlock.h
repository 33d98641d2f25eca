/* SPDX-License-Identifier: Apache-2.0 */
/* Describes a deadlock in words: which threads wait for each other, for which locks, and where. */
#ifndef CPROF_COLLECT_DEADLOCK_H
#define CPROF_COLLECT_DEADLOCK_H

#include "collect/wait/wait_ring.h"

/* The profile contains the waits of the ring's members, with names. Nothing is logged if `len` is
 * 0. */
void deadlock_note(const struct wait_ring_member *ring, u32 len, const struct profile *p,
		   const struct log *log);

#endif
