/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ctrl-C, SIGTERM and SIGHUP: before anything is recorded the first one ends cprof. Later the first one ends the
 * recording, which is then written, the second one ends naming, and further ones do nothing: a terminal that closes
 * sends SIGHUP twice, by the kernel and by the shell, and whoever stops a service may be impatient. Only who presses
 * Ctrl-C for the third time quits without writing.
 */
#ifndef CPROF_CMD_INTERRUPT_H
#define CPROF_CMD_INTERRUPT_H

void interrupt_install(void);
void interrupt_recording(void); /* from now on there is something to be written */
int interrupt_count(void); /* signals since then */
/* From now on the next signal quits: writing may take for ever. */
void interrupt_quit_at_next(void);
/* While an output file is half written, signals wait, so that none is left behind. */
void interrupt_hold(void);
void interrupt_release(void);

#endif
