/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel sends these signals for a failed write. cprof ignores them, so that the write returns
 * an error that can be reported, and temporary files can be removed.
 */
#ifndef CPROF_BASE_SIGNALS_H
#define CPROF_BASE_SIGNALS_H

/* Makes SIGPIPE (EPIPE: the reader is gone) and SIGXFSZ (EFBIG: RLIMIT_FSIZE) fail one write
 * instead of ending the process. */
void signals_ignore_failed_writes(void);

/* Call this in a forked child before its exec, because ignored signals and the mask would pass to
 * the new program. */
void signals_reset(void);

#endif
