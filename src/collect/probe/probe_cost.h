/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a probe costs on this machine, by trying: a virtual machine, a mitigation or a kernel changes it
 * several times over, so no constant would do.
 */
#ifndef CPROF_COLLECT_PROBE_COST_H
#define CPROF_COLLECT_PROBE_COST_H

#include "base/types.h"

/*
 * Puts an entry probe with the program on an instruction of cprof's own that the kernel emulates, passes it
 * for about a millisecond, and takes the probe away. `cookie` is what the program gets, `links`
 * as for uprobe_attach(). 0 with the nanoseconds that a call took longer, or a negative errno.
 */
int probe_cost_measure(int prog_fd, u64 cookie, bool links, u32 *ns) MUST_CHECK;

#endif
