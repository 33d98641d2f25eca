/* SPDX-License-Identifier: Apache-2.0 */
/*
 * storm fork|exec|vfork runs children one after the other, each for 10 ms of CPU time in
 * child_work. The parent only waits.
 */
#include "target.h"

#include <spawn.h>
#include <sys/wait.h>

static NOINLINE void child_work(void)
{
	double until = target_clock(CLOCK_PROCESS_CPUTIME_ID) + 0.010;

	while (target_clock(CLOCK_PROCESS_CPUTIME_ID) < until)
		TARGET_SPIN(100000);
}

static NOINLINE void child_main(void)
{
	child_work();
	NO_TAIL_CALL();
}

static pid_t child_start(const char *how, char *self)
{
	char *const arguments[] = {self, "child", NULL};
	pid_t pid = -1;

	if (!strcmp(how, "vfork")) {
		posix_spawn(&pid, self, NULL, NULL, arguments, environ);
		return pid;
	}
	pid = fork();
	if (pid)
		return pid;
	if (!strcmp(how, "exec")) {
		execv(self, arguments);
		_exit(127);
	}
	child_main();
	_exit(0);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "fork";
	long children = 0;

	if (!strcmp(how, "child")) {
		child_main();
		return 0;
	}
	target_ready();
	while (!target_stop) {
		pid_t pid = child_start(how, argv[0]);

		if (pid < 0 || waitpid(pid, NULL, 0) < 0)
			return 1;
		children++;
	}
	printf("children %ld\n", children);
	return 0;
}
