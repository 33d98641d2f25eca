/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures the cost of a probe on this machine. A virtual machine, a mitigation or a kernel changes
 * it several times over, so a constant would not do.
 */
#ifndef CPROF_COLLECT_PROBE_COST_H
#define CPROF_COLLECT_PROBE_COST_H

#include "base/error.h"
#include "collect/probe_costs.h"

/*
 * Places entry probes with the program on two instructions of cprof itself, executes each for
 * some milliseconds at most, and removes the probes. `cookie` is passed to the program, and `links`
 * is as for uprobe_attach(). Returns 0, or a negative errno with `costs` unchanged.
 */
int probe_cost_measure(int prog_fd, u64 cookie, bool links, struct probe_costs *costs) MUST_CHECK;

#endif
