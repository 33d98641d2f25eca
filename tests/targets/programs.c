/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `programs N MS DIR` runs short programs, each in a file of its own that is removed when it ends.
 * It begins at a SIGUSR1, prints a count after every hundred, and prints "done" at the end. Each
 * program works for MS milliseconds in short_work().
 */
#include "copy_self.h"
#include "target.h"

#include <fcntl.h>
#include <sys/wait.h>

#define SAY_EVERY 100

static NOINLINE void short_work(int ms)
{
	double until = target_clock(CLOCK_PROCESS_CPUTIME_ID) + ms * 1e-3;

	while (target_clock(CLOCK_PROCESS_CPUTIME_ID) < until)
		TARGET_SPIN(10000);
}

static int run_copy(const char *dir, int number, const char *ms)
{
	char path[300];
	int status = 1;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/program%d", dir, number);
	if (copy_self(path))
		return 1;
	pid = fork();
	if (!pid) {
		execl(path, path, ms, NULL);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, &status, 0);
	unlink(path);
	return pid < 0 || status;
}

int main(int argc, char **argv)
{
	sigset_t set;
	int n, signo;

	if (argc == 2) {
		short_work(atoi(argv[1]));
		return 0;
	}
	if (argc != 4)
		return 1;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	target_ready();
	sigwait(&set, &signo);
	n = atoi(argv[1]);
	for (int i = 1; i <= n; i++) {
		if (run_copy(argv[3], i, argv[2])) {
			printf("failed\n");
			return 1;
		}
		if (i % SAY_EVERY == 0)
			printf("ran %d\n", i);
		fflush(stdout);
		alarm(TARGET_SECONDS);
	}
	printf("done\n");
	fflush(stdout);
	while (!target_stop)
		pause();
	return 0;
}
