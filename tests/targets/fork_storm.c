/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fork_storm PAUSE LIFE forks a child every PAUSE microseconds. Each child allocates, locks and
 * runs for LIFE microseconds; at most 500 exist at once.
 */
#include "target.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define AT_ONCE_MAX 500

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static NOINLINE void work(void)
{
	void *volatile p;

	pthread_mutex_lock(&lock);
	p = malloc(100);
	free(p);
	pthread_mutex_unlock(&lock);
}

static void child(useconds_t life)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(TARGET_SECONDS);
	work();
	if (life)
		usleep(life);
	work();
	_exit(0);
}

int main(int argc, char **argv)
{
	useconds_t pause = argc > 1 ? (useconds_t)atoi(argv[1]) : 0;
	useconds_t life = argc > 2 ? (useconds_t)atoi(argv[2]) : 0;
	int alive = 0;

	target_ready();
	while (!target_stop) {
		pid_t pid = alive < AT_ONCE_MAX ? fork() : -1;

		if (!pid)
			child(life);
		alive += pid > 0;
		while (alive && waitpid(-1, NULL, alive < AT_ONCE_MAX ? WNOHANG : 0) > 0)
			alive--;
		work();
		if (pause)
			usleep(pause);
	}
	return 0;
}
