/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `mortals N` has threads and processes that wait for a lock, hold another one, and end while they
 * hold it. On SIGUSR1 it starts N of each, one after the other, and then STAY processes in which a
 * thread other than the first one executes another program that keeps running. When all the others
 * have ended, it prints "done".
 */
#include "target.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define STAY 8
#define WAIT_US 300

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static volatile int at_gate;

static void pause_us(long us)
{
	struct timespec ts = {0, us * 1000};

	nanosleep(&ts, NULL);
}

/* It has its own lock, which it never releases. */
static NOINLINE void *mortal(void *own)
{
	pthread_mutex_lock(own);
	at_gate = 1;
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	return NULL;
}

static int run_mortal(pthread_mutex_t *own)
{
	pthread_t thread;

	at_gate = 0;
	pthread_mutex_lock(&gate);
	if (pthread_create(&thread, NULL, mortal, own))
		return -1;
	while (!at_gate)
		sched_yield();
	pause_us(WAIT_US);
	pthread_mutex_unlock(&gate);
	return pthread_join(thread, NULL);
}

static int run_child(pthread_mutex_t *own)
{
	int status = 1;
	pid_t pid = fork();

	if (!pid) {
		pthread_mutex_lock(own);
		pause_us(1);
		_exit(0);
	}
	return pid < 0 || waitpid(pid, &status, 0) < 0 || status ? -1 : 0;
}

static void *run_program(void *path)
{
	pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&own);
	pause_us(1);
	execl(path, path, "stay", NULL);
	_exit(1);
}

static int start_staying(char *path)
{
	pthread_t thread;
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pthread_create(&thread, NULL, run_program, path);
		for (;;)
			pause();
	}
	return pid < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 0;
	pthread_mutex_t *own = calloc((size_t)n * 2 + 1, sizeof(*own));
	sigset_t begin;
	int which, err = !own;

	if (!n) { /* The processes that stay run this. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (alarm(TARGET_SECONDS);;)
			pause_us(100000);
	}
	sigemptyset(&begin);
	sigaddset(&begin, SIGUSR1);
	sigprocmask(SIG_BLOCK, &begin, NULL);
	target_ready();
	sigwait(&begin, &which);
	for (long i = 0; i < n && !err; i++)
		err = run_mortal(&own[2 * i]) || run_child(&own[2 * i + 1]);
	for (int i = 0; i < STAY && !err; i++)
		err = start_staying(argv[0]);
	pause_us(500000);
	printf(err ? "failed\n" : "done\n");
	fflush(stdout);
	while (!target_stop)
		pause_us(100000);
	return 0;
}
