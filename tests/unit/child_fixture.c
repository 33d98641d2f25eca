/* SPDX-License-Identifier: Apache-2.0 */
/* Starts and ends child processes: see child_fixture.h. */
#include "child_fixture.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

pid_t child_start(void (*body)(int ready, const void *arg), const void *arg)
{
	int ready[2];
	char byte;
	pid_t pid;

	CHECK_INT(pipe(ready), 0);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		body(ready[1], arg);
		_exit(0);
	}
	CHECK_INT(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

void child_ready(int ready)
{
	CHECK_INT(write(ready, "", 1), 1);
}

void child_sleep(int ready)
{
	child_ready(ready);
	for (;;)
		pause();
}

void child_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
