/* SPDX-License-Identifier: Apache-2.0 */
/* Says what a probe costs on this machine. */
#ifndef CPROF_COLLECT_PROBE_COSTS_H
#define CPROF_COLLECT_PROBE_COSTS_H

#include "base/types.h"

/* Nanoseconds that a call takes longer; 0: not known. */
struct probe_costs {
	u32 emulated_ns; /* on an instruction that the kernel emulates */
	u32 stepped_ns; /* on one that it executes in a single step: 2 to 12 us, by the machine */
};

#endif
