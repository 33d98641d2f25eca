/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holds SECONDS` takes and holds locks in known ways, beginning on SIGUSR1. At the end it prints
 * "NAME_taken N" and "NAME_held NANOSECONDS" for each way.
 */
#include "target.h"

#include <pthread.h>
#include <semaphore.h>

#define HOLD_US 1000

static pthread_mutex_t plain_lock = PTHREAD_MUTEX_INITIALIZER, recursive_lock;
static pthread_mutex_t idle_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t idle_cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rw_lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin_lock;
static sem_t semaphore;

struct way {
	const char *name;
	void (*take)(struct way *);
	long taken, held, since;
};

static long now(void)
{
	return (long)(target_clock(CLOCK_MONOTONIC) * 1e9);
}

static NOINLINE void pause_a_bit(void)
{
	struct timespec ts = {0, HOLD_US * 1000};

	nanosleep(&ts, NULL);
	NO_TAIL_CALL();
}

static void taken(struct way *w)
{
	w->since = now();
	w->taken++;
	pause_a_bit();
}

static void left(struct way *w)
{
	w->held += now() - w->since;
}

static NOINLINE void take_plain(struct way *w)
{
	pthread_mutex_lock(&plain_lock);
	taken(w);
	pthread_mutex_trylock(&plain_lock); /* This attempt fails. */
	left(w);
	pthread_mutex_unlock(&plain_lock);
	NO_TAIL_CALL();
}

static NOINLINE void take_recursive(struct way *w)
{
	pthread_mutex_lock(&recursive_lock);
	taken(w);
	pthread_mutex_lock(&recursive_lock);
	pause_a_bit();
	pthread_mutex_unlock(&recursive_lock);
	left(w);
	pthread_mutex_unlock(&recursive_lock);
	NO_TAIL_CALL();
}

static NOINLINE void take_read(struct way *w)
{
	pthread_rwlock_rdlock(&rw_lock);
	taken(w);
	left(w);
	pthread_rwlock_unlock(&rw_lock);
	NO_TAIL_CALL();
}

static NOINLINE void take_write(struct way *w)
{
	pthread_rwlock_wrlock(&rw_lock);
	taken(w);
	left(w);
	pthread_rwlock_unlock(&rw_lock);
	NO_TAIL_CALL();
}

static NOINLINE void take_spin(struct way *w)
{
	pthread_spin_lock(&spin_lock);
	taken(w);
	left(w);
	pthread_spin_unlock(&spin_lock);
	NO_TAIL_CALL();
}

static NOINLINE void take_semaphore(struct way *w)
{
	sem_wait(&semaphore);
	taken(w);
	left(w);
	sem_post(&semaphore);
	NO_TAIL_CALL();
}

/* The lock is held before the wait and after it, but not during it. */
static NOINLINE void take_around_wait(struct way *w)
{
	struct timespec until;

	pthread_mutex_lock(&idle_lock);
	taken(w);
	left(w);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += HOLD_US * 1000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&idle_cond, &idle_lock, &until);
	taken(w);
	left(w);
	pthread_mutex_unlock(&idle_lock);
	NO_TAIL_CALL();
}

static struct way ways[] = {
	{.name = "plain", .take = take_plain},
	{.name = "recursive", .take = take_recursive},
	{.name = "read", .take = take_read},
	{.name = "write", .take = take_write},
	{.name = "spin", .take = take_spin},
	{.name = "semaphore", .take = take_semaphore},
	{.name = "around_wait", .take = take_around_wait},
};

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 2, end;
	const size_t n = sizeof(ways) / sizeof(*ways);
	pthread_mutexattr_t attr;
	sigset_t begin;
	int which;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&recursive_lock, &attr);
	pthread_spin_init(&spin_lock, PTHREAD_PROCESS_PRIVATE);
	sem_init(&semaphore, 0, 1);
	sigemptyset(&begin);
	sigaddset(&begin, SIGUSR1);
	sigprocmask(SIG_BLOCK, &begin, NULL);
	target_ready();
	pause_a_bit();
	sigwait(&begin, &which);
	end = target_clock(CLOCK_MONOTONIC) + seconds;
	while (target_clock(CLOCK_MONOTONIC) < end) {
		for (size_t i = 0; i < n; i++)
			ways[i].take(&ways[i]);
	}
	for (size_t i = 0; i < n; i++)
		printf("%s_taken %ld\n%s_held %ld\n", ways[i].name, ways[i].taken, ways[i].name,
		       ways[i].held);
	return 0;
}
