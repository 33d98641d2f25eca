/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap_pairs THREADS alternates between malloc and free and does nothing else. It counts from
 * SIGUSR1 to SIGTERM and then prints
 *
 *   ns_per_pair N (of the threads' own CPU time, so more threads than CPUs make no difference),
 *   pairs N
 */
#include "target.h"

#include <pthread.h>
#include <stdint.h>

#define THREADS_MAX 64
#define SIZES 1024
#define AT_ONCE 1000 /* pairs between two checks of the clock and the flags */

static unsigned short sizes[SIZES];
static volatile sig_atomic_t counting;
static double used[THREADS_MAX];
static long pairs[THREADS_MAX];

static void on_count(int signal UNUSED)
{
	counting = 1;
}

static NOINLINE void some_pairs(unsigned *i)
{
	for (int n = 0; n < AT_ONCE; n++) {
		void *p = malloc(sizes[(*i)++ % SIZES]);

		__asm__ volatile("" : "+r"(p)::"memory");
		free(p);
	}
}

static void *loop(void *number)
{
	long me = (long)number, n = 0;
	double began = 0;
	unsigned i = 0;

	while (!target_stop) {
		if (counting && began == 0)
			began = target_clock(CLOCK_THREAD_CPUTIME_ID);
		some_pairs(&i);
		n += began != 0 ? AT_ONCE : 0;
	}
	used[me] = began != 0 ? target_clock(CLOCK_THREAD_CPUTIME_ID) - began : 0;
	pairs[me] = n;
	return NULL;
}

int main(int argc, char **argv)
{
	long threads = argc > 1 ? atol(argv[1]) : 1, all = 0;
	pthread_t ids[THREADS_MAX];
	struct sigaction action;
	double seconds = 0;

	if (threads < 1 || threads > THREADS_MAX)
		return 2;
	for (int i = 0; i < SIZES; i++)
		sizes[i] = (unsigned short)(16 + rand() % 497);
	memset(&action, 0, sizeof(action));
	action.sa_handler = on_count;
	sigaction(SIGUSR1, &action, NULL);
	target_ready();
	for (long i = 0; i < threads; i++)
		pthread_create(&ids[i], NULL, loop, (void *)i);
	for (long i = 0; i < threads; i++) {
		pthread_join(ids[i], NULL);
		seconds += used[i];
		all += pairs[i];
	}
	printf("ns_per_pair %.2f\npairs %ld\n", all ? seconds / (double)all * 1e9 : 0.0, all);
	return 0;
}
