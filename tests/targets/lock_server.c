/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `lock_server SECONDS [signals]` is a server with named locks, which also ends on SIGTERM. Three
 * threads compete for each lock, hold it for a known time and request it again at once, so a thread
 * that is woken often finds it taken again. At the end it prints, for each lock, "NAME_waits N" and
 * "NAME_delay NANOSECONDS" (the time around the calls that had to wait), and "NAME_taken N" and
 * "NAME_held NANOSECONDS". With `signals` a handler keeps interrupting the waiters.
 */
#include "target.h"

#include <pthread.h>
#include <stdatomic.h>

#define THREADS 3

struct lock {
	const char *name;
	pthread_mutex_t *mutex;
	long hold_us;
	atomic_long waits, delay, taken, held;
	atomic_long since[THREADS]; /* since when each thread has been waiting */
	pthread_t thread[THREADS];
};

pthread_mutex_t orders_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t users_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	int size;
	pthread_mutex_t lock;
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};
static struct lock locks[] = {
	{.name = "orders", .mutex = &orders_lock, .hold_us = 2000},
	{.name = "users", .mutex = &users_lock, .hold_us = 5000},
	{.name = "cache", .mutex = &cache.lock, .hold_us = 1000},
};
static atomic_int next;

static long now(void)
{
	return (long)(target_clock(CLOCK_MONOTONIC) * 1e9);
}

static NOINLINE void wait_for(struct lock *l, int me)
{
	long began = now();

	atomic_store(&l->since[me], began);
	pthread_mutex_lock(l->mutex);
	if (atomic_exchange(&l->since[me], 0)) {
		atomic_fetch_add(&l->waits, 1);
		atomic_fetch_add(&l->delay, now() - began);
	}
}

static NOINLINE void hold(struct lock *l)
{
	struct timespec ts = {0, l->hold_us * 1000};
	long began = now();

	while (nanosleep(&ts, &ts) && !target_stop)
		;
	atomic_fetch_add(&l->taken, 1);
	atomic_fetch_add(&l->held, now() - began);
	pthread_mutex_unlock(l->mutex);
	NO_TAIL_CALL();
}

static NOINLINE void serve(struct lock *l, int me)
{
	if (pthread_mutex_trylock(l->mutex))
		wait_for(l, me);
	hold(l);
}

#define SERVER(name, number)                      \
	static NOINLINE void serve_##name(int me) \
	{                                         \
		serve(&locks[number], me);        \
		NO_TAIL_CALL();                   \
	}
SERVER(orders, 0)
SERVER(users, 1)
SERVER(cache, 2)

static void *run(void *unused UNUSED)
{
	static void (*const serve_lock[])(int) = {serve_orders, serve_users, serve_cache};
	int number = atomic_fetch_add(&next, 1);

	while (!target_stop)
		serve_lock[number / THREADS](number % THREADS);
	return NULL;
}

static void on_signal(int signal UNUSED)
{
}

static void interrupt_all(void)
{
	for (int i = 0; i < THREADS * 3; i++)
		pthread_kill(locks[i / THREADS].thread[i % THREADS], SIGUSR1);
}

static void report(struct lock *l)
{
	long end = now();

	for (int i = 0; i < THREADS; i++) {
		long since = atomic_exchange(&l->since[i], 0);

		if (since) {
			atomic_fetch_add(&l->waits, 1);
			atomic_fetch_add(&l->delay, end - since);
		}
	}
	printf("%s_waits %ld\n%s_delay %ld\n", l->name, l->waits, l->name, l->delay);
	printf("%s_taken %ld\n%s_held %ld\n", l->name, l->taken, l->name, l->held);
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	double end = target_clock(CLOCK_MONOTONIC) + (argc > 1 ? atof(argv[1]) : 2);
	struct timespec pause = {0, 3000000};

	sigaction(SIGUSR1, &action, NULL);
	target_ready();
	for (int i = 0; i < THREADS * 3; i++)
		pthread_create(&locks[i / THREADS].thread[i % THREADS], NULL, run, NULL);
	while (target_clock(CLOCK_MONOTONIC) < end && !target_stop) {
		if (argc > 2)
			interrupt_all();
		nanosleep(&pause, NULL);
	}
	for (int i = 0; i < 3; i++)
		report(&locks[i]);
	fflush(stdout);
	_exit(0);
}
