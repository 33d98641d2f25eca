/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ctrl-C and SIGTERM: the first one ends the recording, which is then written; the second one ends
 * cprof at once, without writing.
 */
#ifndef CPROF_CMD_INTERRUPT_H
#define CPROF_CMD_INTERRUPT_H

void interrupt_install(void);
int interrupt_count(void); /* signals so far */
/* The recording is over: from now on the first signal quits, too. */
void interrupt_quit_at_next(void);
/* While an output file is half written, the second signal waits, so that none is left behind. */
void interrupt_hold(void);
void interrupt_release(void);

#endif
