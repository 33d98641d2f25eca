/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `thread_states states N` has N threads in each of seven states, and a first thread that pauses;
 * `moving` has threads that sleep and run in turn, `making` three that make others which end at
 * once, and `running` one that only runs.
 * `rwlock` has three that want to read and three that want to write, while the first one writes.
 * `thread_states deadlock` has two threads, and `shared` two processes, of which each has a lock
 * that the other one wants.
 */
#include "target.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define STACK_BYTES (128 << 10)
#define MOVING 20

struct locks {
	pthread_mutex_t first, second;
	pthread_barrier_t both;
};

static pthread_mutex_t orders_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t jobs_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t jobs = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t prices_lock = PTHREAD_RWLOCK_INITIALIZER;
static int ends[2], sockets[2], events;
static pthread_t sleeper;
static struct locks pair;

static NOINLINE void *state_mutex(void *arg)
{
	prctl(PR_SET_NAME, "wants-orders");
	pthread_mutex_lock(&orders_lock);
	return arg;
}

static NOINLINE void *state_condvar(void *arg)
{
	pthread_mutex_lock(&jobs_lock);
	for (;;)
		pthread_cond_wait(&jobs, &jobs_lock);
	return arg;
}

static NOINLINE void *state_sleep(void *arg)
{
	for (;;)
		sleep(1000);
	return arg;
}

static NOINLINE void *state_pipe(void *arg)
{
	char byte;

	if (read(ends[0], &byte, 1) < 0)
		exit(1);
	return arg;
}

static NOINLINE void *state_socket(void *arg)
{
	char byte;

	recv(sockets[0], &byte, 1, 0);
	return arg;
}

static NOINLINE void *state_epoll(void *arg)
{
	struct epoll_event event;

	for (;;)
		epoll_wait(events, &event, 1, -1);
	return arg;
}

static NOINLINE void *state_join(void *arg)
{
	pthread_join(sleeper, NULL);
	return arg;
}

static NOINLINE void *state_reader(void *arg)
{
	pthread_rwlock_rdlock(&prices_lock);
	return arg;
}

static NOINLINE void *state_writer(void *arg)
{
	pthread_rwlock_wrlock(&prices_lock);
	return arg;
}

static NOINLINE void *state_moving(void *arg)
{
	struct timespec pause = {.tv_nsec = 200000};

	for (;;)
		nanosleep(&pause, NULL);
	return arg;
}

static void *brief(void *arg)
{
	usleep(300);
	return arg;
}

static NOINLINE void *state_making(void *arg)
{
	pthread_t threads[8];

	for (;;) {
		for (int i = 0; i < 8; i++) {
			if (pthread_create(&threads[i], NULL, brief, NULL))
				exit(1);
		}
		for (int i = 0; i < 8; i++)
			pthread_join(threads[i], NULL);
		usleep(2000); /* It leaves the CPUs to others. */
	}
	return arg;
}

static NOINLINE void *state_running(void *arg)
{
	for (;;)
		TARGET_SPIN(1000000);
	return arg;
}

static void begin(void *(*run)(void *), int n)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	while (n-- > 0) {
		if (pthread_create(&thread, &attr, run, NULL))
			exit(1);
		if (run == state_sleep)
			sleeper = thread;
	}
}

static void all_states(int n)
{
	static void *(*const runs[])(void *) = {state_mutex, state_condvar, state_sleep,
						state_pipe,  state_socket,  state_epoll,
						state_join};
	struct epoll_event event = {.events = EPOLLIN};

	events = epoll_create1(0);
	if (pipe(ends) || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) ||
	    epoll_ctl(events, EPOLL_CTL_ADD, ends[0], &event))
		exit(1);
	printf("pipe_fd %d\nepoll_fd %d\n", ends[0], events);
	pthread_mutex_lock(&orders_lock);
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		begin(runs[i], n);
}

static NOINLINE void want_second(struct locks *l)
{
	pthread_mutex_lock(&l->first);
	pthread_barrier_wait(&l->both);
	pthread_mutex_lock(&l->second);
	NO_TAIL_CALL();
}

static NOINLINE void want_first(struct locks *l)
{
	pthread_mutex_lock(&l->second);
	pthread_barrier_wait(&l->both);
	pthread_mutex_lock(&l->first);
	NO_TAIL_CALL();
}

static void *other_thread(void *arg)
{
	want_first(&pair);
	return arg;
}

static void *this_thread(void *arg)
{
	want_second(&pair);
	return arg;
}

static void init_locks(struct locks *l, int shared)
{
	pthread_mutexattr_t of_mutex;
	pthread_barrierattr_t of_barrier;

	pthread_mutexattr_init(&of_mutex);
	pthread_mutexattr_setpshared(&of_mutex, shared);
	pthread_barrierattr_init(&of_barrier);
	pthread_barrierattr_setpshared(&of_barrier, shared);
	pthread_mutex_init(&l->first, &of_mutex);
	pthread_mutex_init(&l->second, &of_mutex);
	pthread_barrier_init(&l->both, &of_barrier, 2);
}

static void deadlock_of_processes(void)
{
	struct locks *l =
		mmap(NULL, sizeof(*l), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (l == MAP_FAILED)
		exit(1);
	init_locks(l, PTHREAD_PROCESS_SHARED);
	if (!fork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		want_first(l);
		_exit(0);
	}
	target_ready();
	want_second(l);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "states";

	if (!strcmp(mode, "states")) {
		all_states(argc > 2 ? atoi(argv[2]) : 10);
	} else if (!strcmp(mode, "moving")) {
		begin(state_moving, MOVING);
	} else if (!strcmp(mode, "rwlock")) {
		pthread_rwlock_wrlock(&prices_lock);
		begin(state_reader, 3);
		begin(state_writer, 3);
	} else if (!strcmp(mode, "making")) {
		begin(state_making, 3);
	} else if (!strcmp(mode, "running")) {
		begin(state_running, 1);
	} else if (!strcmp(mode, "deadlock")) {
		init_locks(&pair, PTHREAD_PROCESS_PRIVATE);
		begin(other_thread, 1);
		begin(this_thread, 1);
	} else {
		deadlock_of_processes();
	}
	target_ready();
	while (!target_stop)
		pause();
	return 0;
}
