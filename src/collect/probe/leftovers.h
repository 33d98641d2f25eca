/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Breakpoints in a process that no probe holds any more. The kernel leaves them behind when the program that
 * had attached the probes is killed at the wrong moment (uprobe_pins.h: cprof is not such a program, but was
 * one); each costs the process two traps whenever it is passed, for as long as it lives.
 */
#ifndef CPROF_COLLECT_LEFTOVERS_H
#define CPROF_COLLECT_LEFTOVERS_H

#include "base/readers.h"
#include "collect/probe/uprobe_pins.h"

/*
 * Finds breakpoints in the code of a process, has the kernel remove those that nobody holds, and tells `log` how
 * many those were. Before probes are attached to it. A process that may have breakpoints for other
 * reasons (process_expects_traps()) is left alone.
 */
void leftovers_remove(struct uprobe_pins *pins, struct readers *readers, pid_t tgid,
		      const struct log *log);

#endif
