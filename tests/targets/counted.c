/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counted MODE does work and counts it. Each byte on stdin starts one round of work (blocks, locks,
 * naps, spin or threads, according to MODE). At the end of stdin it prints its counts as "NAME N",
 * then "done", and does nothing until SIGTERM.
 */
#include "target.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#define BLOCKS 200 /* in a round */
#define KEPT_OF 10 /* one in so many blocks stays */
#define ROUNDS_MAX 4096
#define NAPS 5
#define SPIN 3000000
#define THREADS 10

static struct {
	long allocs, bytes, live, live_bytes, locks, contended, naps, threads, threads_live;
} counts;

/* ---- blocks ---- */

static void *kept[ROUNDS_MAX * BLOCKS / KEPT_OF];

static NOINLINE void *new_block(size_t size)
{
	void *p = malloc(size);

	NO_TAIL_CALL();
	return p;
}

static void blocks(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		size_t size = 16 + (size_t)i * 7 % 500;
		void *p = new_block(size);

		counts.allocs++;
		counts.bytes += (long)size;
		if (i % KEPT_OF) {
			free(p);
			continue;
		}
		kept[counts.live++] = p;
		counts.live_bytes += (long)size;
	}
}

/* ---- locks ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int wanted, asking, given;
static atomic_int waiter_tid;

static void nap_us(long us)
{
	struct timespec ts = {0, us * 1000};

	nanosleep(&ts, NULL);
}

/* Waits for the lock as many times as requested. */
static void *wait_for_lock(void *arg)
{
	waiter_tid = gettid();
	for (;;) {
		while (!wanted)
			nap_us(100);
		wanted = 0;
		asking = 1;
		pthread_mutex_lock(&lock);
		asking = 0;
		pthread_mutex_unlock(&lock);
		given = 1;
	}
	return arg;
}

/* Returns whether the other thread sleeps. There is only one place where it does, between its
 * request for the lock and its return with it. */
static int is_waiting(void)
{
	char path[64], text[512], *state;
	ssize_t n;
	int fd;

	if (!asking)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", waiter_tid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	state = strrchr(text, ')');
	return state && state[1] && state[2] == 'S';
}

static void locks(void)
{
	pthread_mutex_lock(&lock);
	given = 0;
	wanted = 1;
	while (!is_waiting())
		nap_us(100);
	nap_us(2000); /* so that it runs while a recording looks */
	pthread_mutex_unlock(&lock);
	while (!given)
		nap_us(100);
	counts.locks += 2;
	counts.contended++;
}

/* ---- time ---- */

static long sleeps(void)
{
	struct rusage use;

	getrusage(RUSAGE_THREAD, &use);
	return use.ru_nvcsw;
}

/* A thread that is preempted on its way to sleep may find its time over, so it has not slept. */
static NOINLINE void naps(void)
{
	for (int i = 0; i < NAPS; i++) {
		long before = sleeps();

		nap_us(500);
		counts.naps += sleeps() - before;
	}
}

static NOINLINE void spin(void)
{
	TARGET_SPIN(SPIN);
}

/* ---- threads ---- */

static void *end_at_once(void *arg)
{
	return arg;
}

static void *stay(void *arg)
{
	pthread_setname_np(pthread_self(), "stays");
	for (;;)
		pause();
	return arg;
}

/* All but one of them end. */
static NOINLINE void threads(void)
{
	pthread_t thread;

	for (int i = 0; i < THREADS; i++) {
		if (pthread_create(&thread, NULL, i ? end_at_once : stay, NULL))
			exit(1);
		counts.threads++;
		if (i)
			pthread_join(thread, NULL);
		else
			counts.threads_live++;
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*round)(void);
	} modes[] = {{"blocks", blocks},
		     {"locks", locks},
		     {"naps", naps},
		     {"spin", spin},
		     {"threads", threads}};
	void (*round)(void) = NULL;
	char byte, text[512];
	pthread_t thread;
	int n;

	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		if (argc > 1 && !strcmp(argv[1], modes[i].name))
			round = modes[i].round;
	}
	if (!round)
		return 2;
	/* This runs before a recording looks, because the loader has locks of its own, which a new
	 * thread takes. */
	if (round == locks && pthread_create(&thread, NULL, wait_for_lock, NULL))
		return 2;
	target_ready();
	while (read(STDIN_FILENO, &byte, 1) == 1)
		round();
	n = snprintf(text, sizeof(text),
		     "allocs %ld\nbytes %ld\nlive %ld\nlive_bytes %ld\nlocks %ld\ncontended %ld\n"
		     "naps %ld\nthreads %ld\nthreads_live %ld\ncpu_ns %.0f\ndone\n",
		     counts.allocs, counts.bytes, counts.live, counts.live_bytes, counts.locks,
		     counts.contended, counts.naps, counts.threads, counts.threads_live,
		     target_clock(CLOCK_PROCESS_CPUTIME_ID) * 1e9);
	if (write(STDOUT_FILENO, text, (size_t)n) != n)
		return 1;
	while (!target_stop)
		pause();
	return 0;
}
