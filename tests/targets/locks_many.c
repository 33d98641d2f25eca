/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `locks_many N`: one thread holds N locks, one after the other, and another one waits for each, so
 * at most one of them has a waiter at any time. At the end it prints "waits N" and "delay
 * NANOSECONDS", as measured by the waiter.
 */
#include "target.h"

#include <pthread.h>

#define HOLD_US 100
#define SLEPT_NS 50000 /* a wait that took less did not sleep */

static pthread_mutex_t *locks;
static volatile long held = -1, wanted = -1;
static long n, waits, delay;

static void pause_us(long us)
{
	struct timespec ts = {0, us * 1000};

	nanosleep(&ts, NULL);
}

static long now(void)
{
	return (long)(target_clock(CLOCK_MONOTONIC) * 1e9);
}

static void *want_each(void *arg UNUSED)
{
	for (long i = 0; i < n; i++) {
		long began, took;

		while (held < i)
			pause_us(1);
		wanted = i;
		began = now();
		pthread_mutex_lock(&locks[i]);
		took = now() - began;
		pthread_mutex_unlock(&locks[i]);
		waits += took > SLEPT_NS;
		delay += took;
	}
	return NULL;
}

static NOINLINE void hold_one(long i)
{
	pthread_mutex_lock(&locks[i]);
	held = i;
	while (wanted < i)
		sched_yield();
	pause_us(HOLD_US);
	pthread_mutex_unlock(&locks[i]);
	NO_TAIL_CALL();
}

int main(int argc, char **argv)
{
	pthread_t waiter;

	n = argc > 1 ? atol(argv[1]) : 1000;
	locks = calloc((size_t)n, sizeof(*locks));
	if (!locks || pthread_create(&waiter, NULL, want_each, NULL))
		return 1;
	for (long i = 0; i < n; i++)
		hold_one(i);
	pthread_join(waiter, NULL);
	printf("waits %ld\ndelay %ld\n", waits, delay);
	return 0;
}
