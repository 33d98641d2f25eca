/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals that the kernel sends for a failed write. cprof ignores them, so that the write returns an
 * error that can be reported, and temporary files can be removed.
 */
#ifndef CPROF_BASE_SIGNALS_H
#define CPROF_BASE_SIGNALS_H

/* SIGPIPE (EPIPE: the reader left) and SIGXFSZ (EFBIG: RLIMIT_FSIZE) end one write, not the process. */
void signals_ignore_failed_writes(void);

/* In a forked child before its exec: ignored signals and the mask would pass to the new program. */
void signals_reset(void);

#endif
