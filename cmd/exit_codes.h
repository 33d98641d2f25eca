/* SPDX-License-Identifier: Apache-2.0 */
/* Defines cprof's exit statuses. */
#ifndef CPROF_CMD_EXIT_CODES_H
#define CPROF_CMD_EXIT_CODES_H

enum cprof_exit {
	CPROF_EXIT_OK = 0, /* a profile was written, or the requested output was printed */
	CPROF_EXIT_FAILED = 1, /* it could not be written */
	CPROF_EXIT_USAGE = 2, /* the command line is wrong */
	CPROF_EXIT_EMPTY = 3, /* nothing was sampled; the reason was printed */
};

#endif
