/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paths NUMBER KEPT MICROSECONDS: a thread goes through that many different stacks while main()
 * waits for it to end. Its path down the stack follows the bits of a counter. At the bottom it
 * allocates a block of 100 bytes and sleeps; the last KEPT blocks stay allocated. It prints
 * "allocated BYTES", "kept BYTES" and "slept SECONDS".
 */
#include "target.h"

#include <pthread.h>

#define DEPTH 20
#define BLOCK 100

static void **kept;
static long nkept, number;
static useconds_t pause_us;
static double slept;

static void down(long bits, int depth);

static NOINLINE void zero(long bits, int depth)
{
	down(bits, depth);
	NO_TAIL_CALL();
}

static NOINLINE void one(long bits, int depth)
{
	down(bits, depth);
	NO_TAIL_CALL();
}

static NOINLINE void bottom(void)
{
	void **place = &kept[number++ % nkept];
	double begun;

	free(*place);
	*place = malloc(BLOCK);
	if (!pause_us)
		return;
	begun = target_clock(CLOCK_MONOTONIC);
	usleep(pause_us);
	slept += target_clock(CLOCK_MONOTONIC) - begun;
}

static NOINLINE void down(long bits, int depth)
{
	if (!depth)
		bottom();
	else if (bits & 1)
		one(bits >> 1, depth - 1);
	else
		zero(bits >> 1, depth - 1);
	NO_TAIL_CALL();
}

static long paths = 1000;

static void *work(void *arg UNUSED)
{
	for (long i = 0; i < paths; i++)
		down(i, DEPTH);
	return NULL;
}

static NOINLINE void wait_for_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, work, NULL);
	pthread_join(thread, NULL);
	NO_TAIL_CALL();
}

int main(int argc, char **argv)
{
	paths = argc > 1 ? atol(argv[1]) : paths;
	nkept = argc > 2 ? atol(argv[2]) : 1;
	pause_us = argc > 3 ? (useconds_t)atol(argv[3]) : 0;
	kept = calloc((size_t)nkept, sizeof(*kept));
	alarm(TARGET_SECONDS);
	wait_for_thread();
	printf("allocated %ld\nkept %ld\nslept %.6f\n", paths * BLOCK,
	       (paths < nkept ? paths : nkept) * BLOCK, slept);
	return 0;
}
