/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removes breakpoints in a process that no probe holds any more. The kernel leaves them behind if
 * the program that had attached the probes is killed at the wrong moment (uprobe_pins.h; cprof no
 * longer leaves any, but once did). Each costs the process two traps whenever it is executed, for
 * as long as the process runs.
 */
#ifndef CPROF_COLLECT_LEFTOVERS_H
#define CPROF_COLLECT_LEFTOVERS_H

#include "base/readers.h"
#include "collect/probe/uprobe_pins.h"

/*
 * Finds breakpoints in the code of a process, makes the kernel remove those without a holder, and
 * reports their number to `log`. Call it before probes are attached to the process. A process that
 * may have breakpoints for other reasons (process_expects_traps()) is left alone, and so is one in
 * which another recording of the store has probes.
 */
void leftovers_remove(struct uprobe_pins *pins, struct readers *readers, pid_t tgid,
		      const struct log *log);

#endif
