/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures the cost of a probe on this machine. A virtual machine, a mitigation or a kernel changes
 * it several times over, so a constant would not do.
 */
#ifndef CPROF_COLLECT_PROBE_COST_H
#define CPROF_COLLECT_PROBE_COST_H

#include "base/types.h"

/*
 * Places an entry probe with the program on an instruction of cprof itself that the kernel
 * emulates, executes it for about a millisecond, and removes the probe. `cookie` is passed to the
 * program, and `links` is as for uprobe_attach(). Returns 0 with the nanoseconds that a call took
 * longer, or a negative errno.
 */
int probe_cost_measure(int prog_fd, u64 cookie, bool links, u32 *ns) MUST_CHECK;

#endif
