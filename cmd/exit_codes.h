/* SPDX-License-Identifier: Apache-2.0 */
/* What cprof's exit status says. */
#ifndef CPROF_CMD_EXIT_CODES_H
#define CPROF_CMD_EXIT_CODES_H

enum cprof_exit {
	CPROF_EXIT_OK = 0, /* a profile was written, or what was asked for was answered */
	CPROF_EXIT_FAILED = 1, /* it could not be */
	CPROF_EXIT_USAGE = 2, /* the command line makes no sense */
	CPROF_EXIT_EMPTY = 3, /* nothing was sampled; the reason was printed */
};

#endif
