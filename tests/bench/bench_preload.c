/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_preload THREADS PAIRS [LIVE] measures the cost of a malloc+free pair in a loop that does
 * nothing else, in nanoseconds of a CPU; threads beyond the number of CPUs share them. Sizes vary
 * from 16 to 512 bytes, so that no branch or bin is always the same. Each thread frees the block at
 * once or, with LIVE, a random one of that many that it holds.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 64
#define SIZES 1024

static long pairs, live = 1;
static unsigned short sizes[SIZES];
static pthread_barrier_t together;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* Puts a new block into a random slot and frees the block that was there. */
static void replace(void **held, long i, uint32_t *random)
{
	void **place, *p = malloc(sizes[i % SIZES]);

	*random = *random * 1664525u + 1013904223u;
	place = &held[(uint64_t)*random * (uint64_t)live >> 32];
	free(*place);
	*place = p;
}

static void *loop(void *nanoseconds)
{
	void **held = calloc((size_t)live, sizeof(*held));
	uint32_t random = 1;
	double begin;

	for (long i = 0; live > 1 && i < 4 * live; i++)
		replace(held, i, &random);
	pthread_barrier_wait(&together);
	begin = now();
	for (long i = 0; live > 1 && i < pairs; i++)
		replace(held, i, &random);
	for (long i = 0; live == 1 && i < pairs; i++) {
		void *p = malloc(sizes[i % SIZES]);

		__asm__ volatile("" : "+r"(p)::"memory");
		free(p);
	}
	*(double *)nanoseconds = (now() - begin) / (double)pairs;
	return NULL;
}

int main(int argc, char **argv)
{
	int threads = argc > 2 ? atoi(argv[1]) : 0;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	double each[THREADS_MAX], sum = 0;
	pthread_t ids[THREADS_MAX];

	pairs = argc > 2 ? atol(argv[2]) : 0;
	live = argc > 3 ? atol(argv[3]) : 1;
	if (threads < 1 || threads > THREADS_MAX || pairs < 1 || live < 1) {
		fprintf(stderr, "usage: bench_preload THREADS PAIRS [LIVE]\n");
		return 2;
	}
	for (int i = 0; i < SIZES; i++)
		sizes[i] = (unsigned short)(16 + rand() % 497);
	pthread_barrier_init(&together, NULL, (unsigned)threads);
	for (int i = 0; i < threads; i++) {
		if (pthread_create(&ids[i], NULL, loop, &each[i]))
			return 1;
	}
	for (int i = 0; i < threads; i++) {
		pthread_join(ids[i], NULL);
		sum += each[i];
	}
	printf("%.2f\n", sum / threads * (threads > cpus ? (double)cpus / threads : 1));
	return 0;
}
