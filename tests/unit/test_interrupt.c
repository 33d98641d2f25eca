/* SPDX-License-Identifier: Apache-2.0 */
/* Which signals end cprof, and which ones only the recording. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../cmd/exit_codes.h"
#include "../../cmd/interrupt.h"
#include "unit.h"

enum { SURVIVED = 42 };

/* Returns the exit status of a process that has begun to record (or not) and gets these signals;
 * the list ends with 0. */
static int status_after(bool recording, const int *signals)
{
	pid_t pid = fork();
	int status = 0;

	if (!pid) {
		interrupt_install();
		if (recording)
			interrupt_recording();
		for (; *signals; signals++)
			raise(*signals);
		_exit(SURVIVED + (interrupt_count() == 0));
	}
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

TEST(interrupt, a_recording_outlives_all_but_the_third_ctrl_c)
{
	CHECK_INT(status_after(true, (int[]){SIGINT, 0}), SURVIVED);
	CHECK_INT(status_after(true, (int[]){SIGINT, SIGINT, 0}), SURVIVED);
	CHECK_INT(status_after(true, (int[]){SIGHUP, SIGHUP, SIGTERM, SIGTERM, SIGINT, 0}),
		  SURVIVED);
	CHECK_INT(status_after(true, (int[]){SIGINT, SIGINT, SIGINT, 0}), CPROF_EXIT_FAILED);
}

TEST(interrupt, before_there_is_a_recording_the_first_signal_quits)
{
	CHECK_INT(status_after(false, (int[]){SIGTERM, 0}), CPROF_EXIT_FAILED);
}
