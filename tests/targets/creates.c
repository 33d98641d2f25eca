/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creates threads and processes in known numbers from known places. Three threads exist before it
 * says "ready". After SIGUSR1, it creates 300 threads in make_brief(), which end at once, 7 in
 * make_lasting() and 5 in make_other(), which stay, and 4 by way of one of those. It forks 20
 * processes in make_forks(), and has 15 run true(1) in make_spawns(); 6 of those are forked, and a
 * thread of 3 other children runs it. Then it says "done", and works until SIGTERM. With "leak N",
 * it creates a thread in leak_here() N times, and in leak_there() 2 N times, which stay.
 */
#include "target.h"

#include <pthread.h>
#include <spawn.h>
#include <sys/wait.h>

static volatile sig_atomic_t go;

static void on_usr1(int signal UNUSED)
{
	go = 1;
}

static NOINLINE void wait_for_end(void)
{
	while (!target_stop)
		usleep(20000);
}

static void *run_older(void *arg)
{
	pthread_setname_np(pthread_self(), "older");
	wait_for_end();
	return arg;
}

static void *run_lasting(void *arg)
{
	pthread_setname_np(pthread_self(), "lasting");
	wait_for_end();
	return arg;
}

static void *run_brief(void *arg)
{
	pthread_setname_np(pthread_self(), (long)arg % 3 ? "brief" : "third");
	return arg;
}

static void create(void *(*start)(void *), long arg, pthread_t *thread)
{
	if (pthread_create(thread, NULL, start, (void *)arg)) {
		printf("failed\n");
		exit(1);
	}
}

static NOINLINE void make_brief(void)
{
	pthread_t thread;

	for (long i = 0; i < 300; i++) {
		create(run_brief, i, &thread);
		pthread_join(thread, NULL);
	}
}

static NOINLINE void make_lasting(int n)
{
	pthread_t thread;

	for (int i = 0; i < n; i++)
		create(run_lasting, i, &thread);
	NO_TAIL_CALL();
}

static NOINLINE void make_other(int n)
{
	pthread_t thread;

	for (int i = 0; i < n; i++)
		create(run_lasting, i, &thread);
	NO_TAIL_CALL();
}

static void *run_maker(void *arg)
{
	pthread_setname_np(pthread_self(), "maker");
	make_lasting(4);
	wait_for_end();
	return arg;
}

static NOINLINE void make_forks(void)
{
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
}

static char *const true_args[] = {"true", NULL};

static NOINLINE void make_spawns(void)
{
	pid_t pid;

	for (int i = 0; i < 9; i++) {
		if (!posix_spawnp(&pid, "true", NULL, NULL, true_args, environ))
			waitpid(pid, NULL, 0);
	}
	for (int i = 0; i < 6; i++) {
		pid = fork();
		if (!pid) {
			execvp("true", true_args);
			_exit(1);
		}
		waitpid(pid, NULL, 0);
	}
}

static void *run_true(void *arg)
{
	execvp("true", true_args);
	return arg;
}

static NOINLINE void make_by_thread(void)
{
	pthread_t thread;

	for (int i = 0; i < 3; i++) {
		pid_t pid = fork();

		if (!pid) {
			create(run_true, 0, &thread);
			pthread_join(thread, NULL);
			_exit(1);
		}
		waitpid(pid, NULL, 0);
	}
}

static NOINLINE void leak_here(void)
{
	make_lasting(1);
	NO_TAIL_CALL();
}

static NOINLINE void leak_there(void)
{
	make_lasting(2);
	NO_TAIL_CALL();
}

static void create_all(void)
{
	pthread_t thread;

	make_brief();
	make_lasting(7);
	make_other(5);
	create(run_maker, 0, &thread);
	make_forks();
	make_spawns();
	make_by_thread();
}

int main(int argc, char **argv)
{
	pthread_t thread;

	signal(SIGUSR1, on_usr1);
	for (int i = 0; i < 3; i++)
		create(run_older, i, &thread);
	usleep(50000);
	target_ready();
	while (!go && !target_stop)
		usleep(10000);
	if (argc < 3)
		create_all();
	for (int i = 0; argc >= 3 && i < atoi(argv[2]); i++) {
		leak_here();
		leak_there();
	}
	usleep(300000);
	printf("done\n");
	fflush(stdout);
	wait_for_end();
	return 0;
}
