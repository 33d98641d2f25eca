/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trouble KIND ROUNDS does what is difficult for a library in front of the allocator:
 *   fork     children of a process whose other threads allocate all the time; each allocates as
 *   well
 *   signal   a handler that allocates and frees while the program computes
 *   dlopen   libraries are loaded and unloaded while other threads allocate (LIBRARY is the third
 *   argument)
 *   plugin   a library that alone loads the C++ library runs its rounds (PLUGIN is the third
 *   argument)
 *   refused  blocks that realloc() cannot enlarge, which therefore stay; the others are freed
 *   exit     threads end while they hold a block that the first thread then frees
 */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUSY_THREADS 3

static atomic_bool stop;

static void use(size_t size)
{
	char *p = malloc(size);

	if (!p)
		abort();
	memset(p, 1, size);
	__asm__ volatile("" ::"r"(p) : "memory");
	free(p);
}

static void *busy(void *unused)
{
	for (size_t i = 0; !atomic_load(&stop); i++)
		use(16 + i % 3000);
	return unused;
}

static void with_busy_threads(void (*run)(long, const char *), long rounds, const char *argument)
{
	pthread_t ids[BUSY_THREADS];

	for (int i = 0; i < BUSY_THREADS; i++) {
		if (pthread_create(&ids[i], NULL, busy, NULL))
			abort();
	}
	run(rounds, argument);
	atomic_store(&stop, true);
	for (int i = 0; i < BUSY_THREADS; i++)
		pthread_join(ids[i], NULL);
}

static void forks(long rounds, const char *unused)
{
	(void)unused;
	while (rounds-- > 0) {
		int status = 1;
		pid_t pid = fork();

		if (pid == 0) {
			for (size_t i = 0; i < 1000; i++)
				use(8 + i);
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			abort();
	}
}

static void loads(long rounds, const char *library)
{
	while (rounds-- > 0) {
		void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);

		if (!handle || dlsym(handle, "no such symbol"))
			abort();
		free(strdup(dlerror()));
		dlclose(handle);
	}
}

static int plugin(long rounds, const char *library)
{
	void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	int (*run)(long) = handle ? (int (*)(long))dlsym(handle, "run") : NULL;

	return run ? run(rounds) : 1;
}

static void on_signal(int number)
{
	(void)number;
	use(100);
}

static void signals(long rounds)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGUSR1, &action, NULL);
	while (rounds-- > 0)
		raise(SIGUSR1);
}

static void refused(long rounds)
{
	volatile size_t too_much = (size_t)1 << 46, more = PTRDIFF_MAX - 100;

	while (rounds-- > 0) {
		char *late = malloc(64), *early = malloc(64), *freed = malloc(64);

		if (!late || !early || !freed || realloc(late, too_much) || realloc(early, more) ||
		    reallocarray(freed, too_much / 64, 64))
			abort();
		free(freed);
	}
}

static void *allocates(void *unused)
{
	(void)unused;
	return malloc(64);
}

static void exits(long rounds)
{
	/* There is one more round, because the C library keeps what the first thread needed. */
	while (rounds-- >= 0) {
		pthread_t id;
		void *block;

		if (pthread_create(&id, NULL, allocates, NULL) || pthread_join(id, &block))
			abort();
		free(block);
	}
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";
	long rounds = argc > 2 ? atol(argv[2]) : 10;

	if (!strcmp(kind, "fork"))
		with_busy_threads(forks, rounds, NULL);
	else if (!strcmp(kind, "dlopen") && argc > 3)
		with_busy_threads(loads, rounds, argv[3]);
	else if (!strcmp(kind, "plugin") && argc > 3)
		return plugin(rounds, argv[3]);
	else if (!strcmp(kind, "signal"))
		signals(rounds);
	else if (!strcmp(kind, "refused"))
		refused(rounds);
	else if (!strcmp(kind, "exit"))
		exits(rounds);
	else
		return 2;
	return 0;
}
