/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs `cprof ... -- COMMAND`. It starts the command and holds it just before its exec, so that
 * everything is attached before its first instruction, then releases it, and reports how it ended.
 */
#ifndef CPROF_TARGET_COMMAND_H
#define CPROF_TARGET_COMMAND_H

#include <sys/types.h>

#include "base/error.h"

struct command {
	pid_t pid; /* 0 in a zeroed struct, -1 if it could not be forked */
	char name[256]; /* argv[0], for messages */
	int gate; /* write end of the pipe that the child waits on; -1 once released */
	/* read end of a close-on-exec pipe, which carries the errno of a failed exec */
	int status_fd;
	bool ended;
	int wait_status; /* as waitpid(2) gives it, once the command has ended */
};

/*
 * Forks the command and holds it before exec. `env` is a list of "NAME=value" with NULL at the end,
 * set for the command alone; it may be NULL. `stdout_fd` is its standard output; -1 for that of
 * this process.
 */
int command_start(struct command *c, char *const argv[], char *const env[], int stdout_fd,
		  struct error *err) MUST_CHECK;
int command_go(struct command *c, struct error *err)
	MUST_CHECK; /* exec; "cannot start foo: no such file or directory" */
bool command_poll(struct command *c); /* true once it has ended; never blocks */
void command_describe_end(const struct command *c, char *out,
			  size_t size); /* "exited with status 3", "was killed by SIGSEGV" */
void command_release(
	struct command *c); /* kills a command that is still held; leaves a running one alone */

#endif
