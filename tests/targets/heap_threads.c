/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap_threads N: four threads in a ring pass N blocks each to the next one, which frees all but
 * every tenth. Another thread ends while it holds N/10 blocks.
 */
#include "heap_truth.h"

#include <pthread.h>
#include <sched.h>

#define THREADS 4
#define RING 64

static struct site given = {.name = "make_for_other"}, left = {.name = "make_and_leave"};
static long rounds;

/* Passes blocks from thread i to thread i + 1. */
static struct {
	void *blocks[RING];
	unsigned long written, read;
	char apart[64];
} rings[THREADS];

static size_t size_of(long i)
{
	return 24 + (size_t)(i * 7919 % 1000);
}

static NOINLINE void *make_for_other(long i)
{
	void *p = malloc(size_of(i));

	USED(p);
	site_alloc(&given, size_of(i));
	return p;
}

static NOINLINE void free_of_other(void *p, long i)
{
	free(p);
	site_free(&given, size_of(i));
}

static void give(int to, void *p)
{
	while (rings[to].written - __atomic_load_n(&rings[to].read, __ATOMIC_ACQUIRE) == RING)
		sched_yield();
	rings[to].blocks[rings[to].written % RING] = p;
	__atomic_store_n(&rings[to].written, rings[to].written + 1, __ATOMIC_RELEASE);
}

/* Returns false if there is nothing yet. */
static int take(int from, void **p)
{
	if (rings[from].read == __atomic_load_n(&rings[from].written, __ATOMIC_ACQUIRE))
		return 0;
	*p = rings[from].blocks[rings[from].read % RING];
	__atomic_store_n(&rings[from].read, rings[from].read + 1, __ATOMIC_RELEASE);
	return 1;
}

static void take_all(int from, long *taken)
{
	void *p;

	while (take(from, &p)) {
		if (*taken % 10)
			free_of_other(p, *taken);
		(*taken)++;
	}
}

static void *member(void *number)
{
	int me = (int)(long)number, before = (me + THREADS - 1) % THREADS;
	long taken = 0;

	for (long i = 0; i < rounds; i++) {
		take_all(before, &taken);
		give(me, make_for_other(i));
	}
	while (taken < rounds) {
		take_all(before, &taken);
		sched_yield();
	}
	return NULL;
}

static NOINLINE void make_and_leave(void)
{
	void *p = malloc(333);

	USED(p);
	site_alloc(&left, 333);
}

static void *leaver(void *arg UNUSED)
{
	for (long i = 0; i < rounds / 10; i++)
		make_and_leave();
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS + 1];

	rounds = argc > 1 ? atol(argv[1]) : 10000;
	site_known(&given);
	site_known(&left);
	heap_begin();
	pthread_create(&threads[THREADS], NULL, leaver, NULL);
	for (long i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, member, (void *)i);
	for (int i = 0; i <= THREADS; i++)
		pthread_join(threads[i], NULL);
	heap_end();
	return 0;
}
