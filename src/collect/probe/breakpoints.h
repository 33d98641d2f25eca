/* SPDX-License-Identifier: Apache-2.0 */
/* Finds breakpoints of probes in the code of one process, by its memory. */
#ifndef CPROF_COLLECT_BREAKPOINTS_H
#define CPROF_COLLECT_BREAKPOINTS_H

#include "arch/breakpoint.h"
#include "target/maps.h"

struct breakpoints {
	int memory; /* /proc/PID/mem */
	struct probe_trampoline trampoline;
	VEC(u64) addresses; /* to be checked */
};

/* Returns 0, -ESRCH, -EACCES or another negative errno; release it in either case. `maps` are those
 * of the process. */
int breakpoints_open(struct breakpoints *b, pid_t tgid, const map_vec *maps) MUST_CHECK;
void breakpoints_release(struct breakpoints *b);

/*
 * Returns how many bytes from `address` on a probe has replaced, where `memory` differs from
 * `file`; 0 if the difference has another cause. `len` bytes of both can be read.
 */
u32 breakpoints_replaced(const struct breakpoints *b, u64 address, const u8 *memory, const u8 *file,
			 size_t len);

/*
 * Returns how many of the addresses have breakpoints, once there are none or the time is over.
 * Breakpoints of other programs count as well.
 */
u32 breakpoints_wait_gone(const struct breakpoints *b, u64 deadline_ns);

u64 breakpoints_deadline(u32 timeout_ms); /* from now on, in CLOCK_MONOTONIC ns */

#endif
