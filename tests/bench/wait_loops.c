/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `wait_loops LOOP SECONDS` runs a loop whose speed shows the overhead of measuring waits. After a
 * line on the standard input it counts for that long and prints the elapsed and the CPU nanoseconds
 * per turn. handover: two threads wake each other through futexes, 20 frames deep; getppid: a
 * system call; eagain: a futex call that does not wait; mutex: one without contention.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define DEPTH 20

static atomic_int turn;
static atomic_bool over;
static atomic_long turns;

static double now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void futex(int op, int value)
{
	syscall(SYS_futex, &turn, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static void count(void)
{
	atomic_store_explicit(&turns, atomic_load_explicit(&turns, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

static void play(int me)
{
	while (!atomic_load(&over)) {
		while (atomic_load(&turn) != me && !atomic_load(&over))
			futex(FUTEX_WAIT, !me);
		if (!me)
			count();
		atomic_store(&turn, !me);
		futex(FUTEX_WAKE, 1);
	}
	futex(FUTEX_WAKE, 1);
}

static __attribute__((noinline)) void deep(int levels, int me)
{
	if (levels)
		deep(levels - 1, me);
	else
		play(me);
	__asm__ volatile("" ::: "memory");
}

static void *second(void *unused)
{
	deep(DEPTH, 1);
	return unused;
}

/* Measures, after a line of input, the elapsed time and the CPU time of the loop. */
static void *measure(void *seconds)
{
	double began, used, n;
	char line[16];
	long first;

	if (!fgets(line, sizeof(line), stdin))
		exit(1);
	began = now(CLOCK_MONOTONIC);
	used = now(CLOCK_PROCESS_CPUTIME_ID);
	first = atomic_load(&turns);
	usleep((useconds_t)(atof(seconds) * 1e6));
	n = (double)(atomic_load(&turns) - first);
	printf("%.1f %.1f\n", (now(CLOCK_MONOTONIC) - began) / n,
	       (now(CLOCK_PROCESS_CPUTIME_ID) - used) / n);
	fflush(stdout);
	atomic_store(&over, 1);
	return NULL;
}

static void spin(const char *loop)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	char kind = *loop;

	for (; !atomic_load_explicit(&over, memory_order_relaxed); count()) {
		if (kind == 'g')
			syscall(SYS_getppid);
		else if (kind == 'e')
			futex(FUTEX_WAIT, 1);
		else
			pthread_mutex_lock(&lock), pthread_mutex_unlock(&lock);
	}
}

int main(int argc, char **argv)
{
	const char *loop = argc > 1 ? argv[1] : "handover";
	pthread_t t, stop;

	alarm(60);
	pthread_create(&stop, NULL, measure, argc > 2 ? argv[2] : "1");
	if (!strcmp(loop, "handover")) {
		pthread_create(&t, NULL, second, NULL);
		deep(DEPTH, 0);
		pthread_join(t, NULL);
	} else {
		spin(loop);
	}
	pthread_join(stop, NULL);
	return 0;
}
