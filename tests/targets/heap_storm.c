/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap_storm [LIBRARY] has four threads that only allocate and free, including each other's blocks,
 * while another one forks children that allocate, and opens and closes LIBRARY. Every block is
 * checked before it is freed. At the end it prints
 *
 *   pairs N, children N, libraries N, longest_stall_ms N (of any thread, checked every 10 ms)
 */
#include "heap_truth.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/wait.h>

#define THREADS 4
#define SHARED 256

static void *shared[SHARED]; /* threads exchange blocks here */
static volatile long progress[THREADS];
static long children, libraries;
static const char *library;

static void die(const char *why)
{
	static const char prefix[] = "heap_storm: ";

	if (write(2, prefix, sizeof(prefix) - 1) < 0 || write(2, why, strlen(why)) < 0)
		_exit(3);
	abort();
}

/* The size and its complement are at the beginning, and the size's low byte at the end. */
static void *make(size_t size)
{
	size_t *p = malloc(size);

	if (!p)
		die("no memory\n");
	p[0] = size;
	p[1] = ~size;
	((unsigned char *)p)[size - 1] = (unsigned char)size;
	return p;
}

static void drop(void *block)
{
	size_t *p = block, size;

	if (!p)
		return;
	size = p[0];
	if (p[1] != ~size || ((unsigned char *)p)[size - 1] != (unsigned char)size)
		die("a block was written over\n");
	p[1] = size;
	free(p);
}

/* A block has at least 17 bytes, because the mark at the end comes after the two words. */
static void one_pair(void)
{
	void *p = make(17 + heap_random(600));

	if (heap_random(16) == 0)
		p = __atomic_exchange_n(&shared[heap_random(SHARED)], p, __ATOMIC_ACQ_REL);
	if (p && heap_random(32) == 0) {
		size_t size = 17 + heap_random(3000);

		drop(NULL);
		p = realloc(p, size);
		((size_t *)p)[0] = size;
		((size_t *)p)[1] = ~size;
		((unsigned char *)p)[size - 1] = (unsigned char)size;
	}
	drop(p);
}

static void *worker(void *number)
{
	long me = (long)number;

	while (!target_stop) {
		one_pair();
		progress[me]++;
	}
	return NULL;
}

static void run_child(void)
{
	for (int i = 0; i < 200; i++)
		one_pair();
	_exit(0);
}

static void *forker(void *arg UNUSED)
{
	while (!target_stop) {
		pid_t pid = fork();
		int status = 0;
		void *opened;

		if (!pid)
			run_child();
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			die("a child failed\n");
		children++;
		opened = library ? dlopen(library, RTLD_NOW | RTLD_LOCAL) : NULL;
		if (opened) {
			void *(*library_malloc)(size_t);
			void (*library_free)(void *);

			*(void **)&library_malloc = dlsym(opened, "malloc");
			*(void **)&library_free = dlsym(opened, "free");
			for (int i = 0; i < 100; i++)
				library_free(library_malloc(100));
			dlclose(opened);
			libraries++;
		}
	}
	return NULL;
}

/* Measures the longest time in which some thread made no progress. */
static double watch(void)
{
	const struct timespec step = {.tv_nsec = 10000000};
	double longest = 0, moved[THREADS];
	long seen[THREADS] = {0};

	for (int i = 0; i < THREADS; i++)
		moved[i] = target_clock(CLOCK_MONOTONIC);
	while (!target_stop) {
		double now;

		nanosleep(&step, NULL);
		now = target_clock(CLOCK_MONOTONIC);
		for (int i = 0; i < THREADS; i++) {
			if (progress[i] != seen[i]) {
				seen[i] = progress[i];
				moved[i] = now;
			} else if (now - moved[i] > longest) {
				longest = now - moved[i];
			}
		}
	}
	return longest;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS + 1];
	double stall;
	long pairs = 0;

	library = argc > 1 ? argv[1] : NULL;
	target_ready();
	alarm(argc > 2 ? (unsigned)atoi(argv[2]) : TARGET_SECONDS);
	for (long i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, worker, (void *)i);
	pthread_create(&threads[THREADS], NULL, forker, NULL);
	stall = watch();
	for (int i = 0; i <= THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < THREADS; i++)
		pairs += progress[i];
	printf("pairs %ld\nchildren %ld\nlibraries %ld\nlongest_stall_ms %.0f\n", pairs, children,
	       libraries, stall * 1000);
	return 0;
}
