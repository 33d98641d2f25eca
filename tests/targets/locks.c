/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `locks MODE [SECONDS]` has threads that wait in known ways and measure it themselves. At the end
 * (SIGTERM, or after SECONDS) it prints "waits N" and "delay NANOSECONDS", which is the time around
 * the calls that block.
 */
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define HOLD_US 5000
#define SHORT_US 200
#define CROWD 3000

pthread_mutex_t orders_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_rwlock_t stock_lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t pi_lock, idle_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t idle_cond = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t semaphore;
static atomic_long waits, delay;
static atomic_int word;
static int ends[2];

static NOINLINE void pause_us(long us)
{
	struct timespec ts = {0, us * 1000};

	nanosleep(&ts, NULL);
	NO_TAIL_CALL();
}

static long now(void)
{
	return (long)(target_clock(CLOCK_MONOTONIC) * 1e9);
}

/* A call that took less did not sleep. */
static void note(long began)
{
	long took = now() - began;

	if (took < SHORT_US * 1000)
		return;
	atomic_fetch_add(&waits, 1);
	atomic_fetch_add(&delay, took);
}

static NOINLINE void hold_mutex(pthread_mutex_t *lock)
{
	pthread_mutex_lock(lock);
	pause_us(HOLD_US);
	pthread_mutex_unlock(lock);
	NO_TAIL_CALL();
}

/* The holder computes meanwhile instead of sleeping. */
static NOINLINE void hold_busy(pthread_mutex_t *lock)
{
	double end;

	pthread_mutex_lock(lock);
	end = target_clock(CLOCK_MONOTONIC) + HOLD_US * 1e-6;
	while (target_clock(CLOCK_MONOTONIC) < end)
		TARGET_SPIN(1000);
	pthread_mutex_unlock(lock);
	NO_TAIL_CALL();
}

static void *busy_holder(void *lock)
{
	while (!target_stop) {
		hold_busy(lock);
		pause_us(SHORT_US);
	}
	return NULL;
}

static NOINLINE void want_mutex(pthread_mutex_t *lock)
{
	long began = now();

	pthread_mutex_lock(lock);
	note(began);
	pthread_mutex_unlock(lock);
	NO_TAIL_CALL();
}

static void *holder(void *lock)
{
	while (!target_stop) {
		hold_mutex(lock);
		pause_us(HOLD_US);
	}
	return NULL;
}

static void *wanter(void *lock)
{
	while (!target_stop) {
		want_mutex(lock);
		pause_us(SHORT_US);
	}
	return NULL;
}

static NOINLINE void want_timed(void)
{
	struct timespec until;
	long began = now();

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += HOLD_US * 1000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_timedlock(&orders_lock, &until);
	note(began);
}

static NOINLINE void hold_rwlock(void)
{
	pthread_rwlock_wrlock(&stock_lock);
	pause_us(HOLD_US);
	pthread_rwlock_unlock(&stock_lock);
	NO_TAIL_CALL();
}

static NOINLINE void want_rwlock(void)
{
	long began = now();

	pthread_rwlock_rdlock(&stock_lock);
	note(began);
	pthread_rwlock_unlock(&stock_lock);
	NO_TAIL_CALL();
}

static void *rwlock_holder(void *unused UNUSED)
{
	while (!target_stop) {
		hold_rwlock();
		pause_us(HOLD_US);
	}
	return NULL;
}

static NOINLINE void wait_semaphore(void)
{
	long began = now();

	sem_wait(&semaphore);
	note(began);
}

/* These are from linux/futex.h and arch/x86/entry/syscalls/syscall_64.tbl, as the installed headers
 * may be older. */
#define SYS_FUTEX_WAITV_ 449
#define SYS_FUTEX_WAIT_ 455
#define FUTEX_32 2
struct waitv {
	unsigned long value, address;
	unsigned flags, reserved;
};

/* Waits until the waker's next turn, using one of the system calls that can do so. */
static NOINLINE void wait_raw(const char *how)
{
	int seen = atomic_load(&word);
	struct waitv one = {.value = (unsigned)seen,
			    .address = (unsigned long)&word,
			    .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG};
	long began = now(), err;

	if (!strcmp(how, "waitv"))
		err = syscall(SYS_FUTEX_WAITV_, &one, 1, 0, NULL, 0);
	else if (!strcmp(how, "futex2"))
		err = syscall(SYS_FUTEX_WAIT_, &word, (long)seen, ~0u,
			      FUTEX_32 | FUTEX_PRIVATE_FLAG, NULL, 0);
	else
		err = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
	if (err < 0 && errno == ENOSYS)
		exit(77);
	note(began);
}

static NOINLINE void wait_condition(void)
{
	long began = now();

	pthread_mutex_lock(&idle_lock);
	pthread_cond_wait(&idle_cond, &idle_lock);
	pthread_mutex_unlock(&idle_lock);
	note(began);
}

static NOINLINE void wait_barrier(void)
{
	long began = now();

	pthread_barrier_wait(&barrier);
	note(began);
}

static NOINLINE void read_end(int fd)
{
	long began = now();
	char c;

	if (read(fd, &c, 1) == 1)
		note(began);
}

/* It goes on to the end of the program, because the main thread may begin another wait after
 * target_stop was set. */
static void *waker(void *mode)
{
	for (;;) {
		pause_us(HOLD_US);
		if (!strcmp(mode, "semaphore"))
			sem_post(&semaphore);
		else if (!strcmp(mode, "condvar"))
			pthread_cond_signal(&idle_cond);
		else if (!strcmp(mode, "barrier"))
			pthread_barrier_wait(&barrier);
		else if (strstr("raw waitv futex2", mode))
			atomic_fetch_add(&word, 1),
				syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
		else if (write(ends[1], "x", 1) != 1)
			return NULL;
	}
}

static void *short_life(void *unused UNUSED)
{
	pause_us(HOLD_US);
	return NULL;
}

static NOINLINE void wait_join(void)
{
	pthread_t t;
	long began;

	pthread_create(&t, NULL, short_life, NULL);
	began = now();
	pthread_join(t, NULL);
	note(began);
}

static void *burn(void *unused UNUSED)
{
	while (!target_stop)
		TARGET_SPIN(1000000);
	return NULL;
}

static NOINLINE void wait_sleep(void)
{
	long began = now();

	pause_us(HOLD_US);
	note(began);
}

/* Reads parts of the file "big" that are not in memory. */
static NOINLINE void read_disk(int fd)
{
	static char part[1 << 16];

	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	for (off_t at = 0; pread(fd, part, sizeof(part), at) > 0 && !target_stop; at += 1 << 22)
		;
}

static NOINLINE void touch_disk(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	volatile char *map;

	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	map = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0);
	for (off_t at = 0; at < size && !target_stop; at += 1 << 22)
		(void)map[at];
	munmap((void *)map, (size_t)size);
}

/* Both threads hold their first lock before either requests its second one. */
static void lock_first(pthread_mutex_t *a, pthread_mutex_t *b)
{
	pthread_mutex_lock(a);
	pthread_barrier_wait(&barrier);
	pthread_mutex_lock(b);
}

static NOINLINE void *deadlock_one(void *unused UNUSED)
{
	lock_first(&orders_lock, &idle_lock);
	NO_TAIL_CALL();
	return NULL;
}

static NOINLINE void *deadlock_two(void *unused UNUSED)
{
	lock_first(&idle_lock, &orders_lock);
	NO_TAIL_CALL();
	return NULL;
}

static void start(void *(*run)(void *), void *arg)
{
	pthread_t t;

	if (pthread_create(&t, NULL, run, arg))
		exit(1);
}

static void *patient(void *lock)
{
	want_mutex(lock);
	return NULL;
}

/* Starts threads that wait for a lock which is never released. */
static void start_crowd(int n)
{
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	pthread_mutex_lock(&orders_lock);
	for (int i = 0; i < n; i++) {
		if (pthread_create(&t, &attr, patient, &orders_lock))
			exit(1);
	}
}

static void init_pi(void)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&pi_lock, &attr);
}

/* The first thread waits for these. */
static void start_others(const char *mode)
{
	if (!strcmp(mode, "mutex") || !strcmp(mode, "timed"))
		start(holder, &orders_lock);
	else if (!strcmp(mode, "busy"))
		start(busy_holder, &orders_lock);
	else if (!strcmp(mode, "pi"))
		start(holder, &pi_lock);
	else if (!strcmp(mode, "rwlock"))
		start(rwlock_holder, NULL);
	else if (!strcmp(mode, "crowd"))
		start_crowd(CROWD);
	else if (!strcmp(mode, "deadlock"))
		start(deadlock_one, NULL), start(deadlock_two, NULL);
	else if (!strcmp(mode, "burn"))
		start(burn, NULL), start(burn, NULL), start(burn, NULL);
	else if (!strstr("join sleep uncontended disk fault", mode))
		start(waker, (void *)mode);
	if (!strcmp(mode, "mutex"))
		start(wanter, &orders_lock);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "mutex";
	int file = -1;

	init_pi();
	sem_init(&semaphore, 0, 0);
	pthread_barrier_init(&barrier, NULL, 2);
	if (!strcmp(mode, "socket") ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends))
		return 1;
	if (!strcmp(mode, "disk") || !strcmp(mode, "fault"))
		file = open("big", O_RDONLY);
	start_others(mode);
	target_ready();
	if (argc > 2) {
		signal(SIGALRM, target_on_term);
		alarm((unsigned)atoi(argv[2]));
	}
	while (!target_stop) {
		if (!strcmp(mode, "mutex") || !strcmp(mode, "busy"))
			want_mutex(&orders_lock), pause_us(SHORT_US);
		else if (!strcmp(mode, "pi"))
			want_mutex(&pi_lock), pause_us(SHORT_US);
		else if (!strcmp(mode, "timed"))
			pthread_mutex_lock(&idle_lock), want_timed(),
				pthread_mutex_unlock(&idle_lock);
		else if (!strcmp(mode, "rwlock"))
			want_rwlock(), pause_us(SHORT_US);
		else if (!strcmp(mode, "semaphore"))
			wait_semaphore();
		else if (!strcmp(mode, "condvar"))
			wait_condition();
		else if (!strcmp(mode, "barrier"))
			wait_barrier();
		else if (strstr("raw waitv futex2", mode))
			wait_raw(mode);
		else if (!strcmp(mode, "join"))
			wait_join();
		else if (!strcmp(mode, "uncontended"))
			pthread_mutex_lock(&orders_lock), pthread_mutex_unlock(&orders_lock);
		else if (!strcmp(mode, "burn"))
			burn(NULL);
		else if (!strcmp(mode, "disk"))
			read_disk(file);
		else if (!strcmp(mode, "fault"))
			touch_disk(file);
		else if (!strcmp(mode, "sleep") || !strcmp(mode, "deadlock") ||
			 !strcmp(mode, "crowd"))
			wait_sleep();
		else
			read_end(ends[0]);
	}
	printf("waits %ld\ndelay %ld\n", waits, delay);
	return 0;
}
