/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handles Ctrl-C, SIGTERM and SIGHUP. Before anything is recorded, the first one ends cprof. Later
 * the first one ends the recording, which is then written, the second one ends naming, and further
 * ones do nothing. A closing terminal sends SIGHUP twice, from the kernel and from the shell, and
 * whoever stops a service may be impatient. Only the third Ctrl-C quits without writing.
 */
#ifndef CPROF_CMD_INTERRUPT_H
#define CPROF_CMD_INTERRUPT_H

void interrupt_install(void);
void interrupt_recording(void); /* from now on there is something to write */
int interrupt_count(void); /* number of signals since then */
/* Makes the next signal quit, because writing may take forever. */
void interrupt_quit_at_next(void);
/* Holds signals back while an output file is half written, so that no part of it is left behind. */
void interrupt_hold(void);
void interrupt_release(void);

#endif
