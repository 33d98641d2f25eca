/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cprof ... -- COMMAND`: starts a command held just before its exec, so that everything is attached
 * before its first instruction, lets it go, and reports how it ended.
 */
#ifndef CPROF_TARGET_COMMAND_H
#define CPROF_TARGET_COMMAND_H

#include <sys/types.h>

#include "base/error.h"

struct command {
	pid_t pid; /* 0 in a zeroed one, -1 when it could not be forked */
	char name[256]; /* argv[0], for messages */
	int gate; /* write end of the pipe the child waits on; -1 once released */
	int status_fd; /* read end of a close-on-exec pipe: carries the errno of a failed exec */
	bool ended;
	int wait_status; /* as waitpid(2) gives it, once ended */
};

/*
 * Forked, held before exec. `env`: "NAME=value", NULL at the end, set for it alone; NULL: nothing is.
 * `stdout_fd`: its standard output; -1: that of this process.
 */
int command_start(struct command *c, char *const argv[], char *const env[], int stdout_fd,
		  struct error *err) MUST_CHECK;
int command_go(struct command *c, struct error *err)
	MUST_CHECK; /* exec; "cannot start foo: no such file or directory" */
bool command_poll(struct command *c); /* true once it ended; never blocks */
void command_describe_end(const struct command *c, char *out,
			  size_t size); /* "exited with status 3", "was killed by SIGSEGV" */
void command_release(
	struct command *c); /* a command still held is killed; a running one is left alone */

#endif
