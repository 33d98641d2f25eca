/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ctrl-C and SIGTERM: before anything is recorded the first one ends cprof. Later the first one ends the
 * recording, which is then written, and the second one ends cprof at once, without writing.
 */
#ifndef CPROF_CMD_INTERRUPT_H
#define CPROF_CMD_INTERRUPT_H

void interrupt_install(void);
void interrupt_recording(void); /* from now on there is something to be written */
int interrupt_count(void); /* signals since then */
/* The recording is over: from now on the first signal quits, too. */
void interrupt_quit_at_next(void);
/* While an output file is half written, the second signal waits, so that none is left behind. */
void interrupt_hold(void);
void interrupt_release(void);

#endif
