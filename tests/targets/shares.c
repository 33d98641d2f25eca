/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spends 50, 30 and 20 % of its CPU time in work_a, work_b and work_c, each 30 calls deep, and
 * prints at the end what the shares really were by its own thread's clock. An argument gives the
 * number of threads. SIGUSR1 restarts the counting, for benchmarks that measure a window of their
 * own.
 */
#include "target.h"

#include <pthread.h>

#define ROUND 2000000l /* iterations for 10 % of the time, which are some milliseconds */

static NOINLINE void work_a(long n)
{
	TARGET_SPIN(n);
}

static NOINLINE void work_b(long n)
{
	TARGET_SPIN(n);
}

static NOINLINE void work_c(long n)
{
	TARGET_SPIN(n);
}

static NOINLINE void level_30(void (*leaf)(long), long n)
{
	leaf(n);
	NO_TAIL_CALL();
}

#define LEVEL(here, next)                                      \
	static NOINLINE void here(void (*leaf)(long), long n)  \
	{                                                      \
		char buf[16 + (sizeof(#here #next) * 7) % 64]; \
		__asm__ volatile("" ::"r"(buf) : "memory");    \
		next(leaf, n);                                 \
		NO_TAIL_CALL();                                \
	}
LEVEL(level_29, level_30)
LEVEL(level_28, level_29)
LEVEL(level_27, level_28)
LEVEL(level_26, level_27)
LEVEL(level_25, level_26)
LEVEL(level_24, level_25)
LEVEL(level_23, level_24)
LEVEL(level_22, level_23)
LEVEL(level_21, level_22)
LEVEL(level_20, level_21)
LEVEL(level_19, level_20)
LEVEL(level_18, level_19)
LEVEL(level_17, level_18)
LEVEL(level_16, level_17)
LEVEL(level_15, level_16)
LEVEL(level_14, level_15)
LEVEL(level_13, level_14)
LEVEL(level_12, level_13)
LEVEL(level_11, level_12)
LEVEL(level_10, level_11)
LEVEL(level_09, level_10)
LEVEL(level_08, level_09)
LEVEL(level_07, level_08)
LEVEL(level_06, level_07)
LEVEL(level_05, level_06)
LEVEL(level_04, level_05)
LEVEL(level_03, level_04)
LEVEL(level_02, level_03)
LEVEL(level_01, level_02)

static volatile sig_atomic_t resets;

static void on_reset(int number UNUSED)
{
	resets++;
}

struct truth {
	double seconds[3];
	unsigned long rounds;
	double began;
};

static void *run(void *arg)
{
	static void (*const leaf[3])(long) = {work_a, work_b, work_c};
	static const long tenths[3] = {5, 3, 2};
	struct truth *truth = arg;
	int seen = 0;

	while (!target_stop) {
		if (seen != resets) {
			seen = resets;
			memset(truth, 0, sizeof(*truth));
			truth->began = target_clock(CLOCK_MONOTONIC);
		}
		for (int i = 0; i < 3; i++) {
			double before = target_clock(CLOCK_THREAD_CPUTIME_ID);

			level_01(leaf[i], tenths[i] * ROUND);
			truth->seconds[i] += target_clock(CLOCK_THREAD_CPUTIME_ID) - before;
		}
		truth->rounds++;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int nthreads = argc > 1 ? atoi(argv[1]) : 1;
	struct truth truth[64] = {0}, sum = {0};
	pthread_t thread[64];
	double began, all, rate = 0;

	if (nthreads < 1 || nthreads > 64)
		return 2;
	signal(SIGUSR1, on_reset);
	began = target_clock(CLOCK_MONOTONIC);
	for (int i = 0; i < nthreads; i++)
		truth[i].began = began;
	target_ready();
	for (int i = 1; i < nthreads; i++)
		pthread_create(&thread[i], NULL, run, &truth[i]);
	run(&truth[0]);
	for (int i = 1; i < nthreads; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < nthreads; i++) {
		for (int k = 0; k < 3; k++)
			sum.seconds[k] += truth[i].seconds[k];
		rate += (double)truth[i].rounds / (target_clock(CLOCK_MONOTONIC) - truth[i].began);
	}
	all = sum.seconds[0] + sum.seconds[1] + sum.seconds[2];
	printf("work_a %.2f\nwork_b %.2f\nwork_c %.2f\n", 100 * sum.seconds[0] / all,
	       100 * sum.seconds[1] / all, 100 * sum.seconds[2] / all);
	printf("cpu_seconds %.4f\n", target_clock(CLOCK_PROCESS_CPUTIME_ID));
	printf("rounds_per_second %.3f\n", rate);
	return 0;
}
