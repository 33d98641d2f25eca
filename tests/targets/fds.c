/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens descriptors in known numbers from known places, among many that are closed at once, so that
 * their numbers are used again and again. Four are open before it says "ready". After SIGUSR1,
 * churn() opens 4,000 files, sockets and pipes in each of two threads and closes all; each
 * leak_KIND() opens some that stay; and others are closed in each of the ways there are. Then it
 * says "done".
 */
#include "target.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <netinet/in.h>

#define CHURN 1000 /* rounds of four descriptors, in each of two threads */

static volatile sig_atomic_t go;

static void on_usr1(int signal UNUSED)
{
	go = 1;
}

static NOINLINE void *churn(void *arg)
{
	int ends[2];

	for (int i = 0; i < CHURN; i++) {
		close(open("/dev/null", O_RDONLY));
		close(socket(AF_INET, SOCK_DGRAM, 0));
		if (pipe(ends))
			exit(1);
		close(ends[0]);
		close(ends[1]);
	}
	return arg;
}

/* Each one opens `n` that stay. */
#define LEAK(kind, call)                        \
	static NOINLINE void leak_##kind(int n) \
	{                                       \
		for (int i = 0; i < n; i++) {   \
			if ((call) < 0)         \
				exit(1);        \
		}                               \
		NO_TAIL_CALL();                 \
	}
LEAK(file, open("/etc/passwd", O_RDONLY))
LEAK(directory, open("/etc", O_RDONLY | O_DIRECTORY))
LEAK(socket, socket(AF_INET, SOCK_STREAM, 0))
LEAK(epoll, epoll_create1(0))
LEAK(event, eventfd(0, 0))
LEAK(timer, timerfd_create(CLOCK_MONOTONIC, 0))
LEAK(notify, inotify_init1(0))
LEAK(memory, memfd_create("leaked", 0))
LEAK(copy, dup(0))
LEAK(control, fcntl(0, F_DUPFD_CLOEXEC, 100))

static NOINLINE void leak_signal(int n)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	for (int i = 0; i < n; i++) {
		if (signalfd(-1, &set, 0) < 0)
			exit(1);
	}
}

static NOINLINE void leak_pipe(int n)
{
	int ends[2];

	for (int i = 0; i < n; i++) {
		if (pipe2(ends, O_CLOEXEC))
			exit(1);
	}
}

static NOINLINE void leak_pair(int n)
{
	int ends[2];

	for (int i = 0; i < n; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
			exit(1);
	}
}

/* Returns a listening socket, and its address. */
static int listener(struct sockaddr_in *address)
{
	socklen_t size = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*address = (struct sockaddr_in){.sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (fd < 0 || bind(fd, (struct sockaddr *)address, size) || listen(fd, 16) ||
	    getsockname(fd, (struct sockaddr *)address, &size))
		exit(1);
	return fd;
}

static NOINLINE void leak_accepted(int n)
{
	struct sockaddr_in address;
	int fd = listener(&address);

	for (int i = 0; i < n; i++) {
		int client = socket(AF_INET, SOCK_STREAM, 0);

		if (client < 0 || connect(client, (struct sockaddr *)&address, sizeof(address)) ||
		    accept4(fd, NULL, NULL, 0) < 0)
			exit(1);
	}
}

/* All of these are closed: by a range, by a copy that takes the number, and by its end. */
static NOINLINE void closed_by_range(void)
{
	int first = fcntl(0, F_DUPFD, 500);

	for (int i = 1; i < 10; i++) {
		if (fcntl(0, F_DUPFD, 500) != first + i)
			exit(1);
	}
	if (close_range((unsigned)first, (unsigned)first + 9, 0))
		exit(1);
}

static NOINLINE int replaced(void)
{
	int fd = open("/etc/passwd", O_RDONLY);

	NO_TAIL_CALL();
	return fd;
}

static NOINLINE void leak_replacing(void)
{
	int fd = replaced();

	if (dup2(0, fd) != fd)
		exit(1);
}

static NOINLINE void failed(void)
{
	for (int i = 0; i < 50; i++)
		open("/nonexistent/file", O_RDONLY);
}

/* The child inherits everything, and opens 3 of its own. */
static NOINLINE void in_child(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	leak_file(3);
	for (;;)
		pause();
}

int main(void)
{
	pthread_t thread;
	pid_t child;

	signal(SIGUSR1, on_usr1);
	for (int i = 0; i < 4; i++) {
		if (open("/etc/hostname", O_RDONLY) < 0)
			return 1;
	}
	target_ready();
	while (!go && !target_stop)
		usleep(10000);
	pthread_create(&thread, NULL, churn, NULL);
	leak_file(5);
	churn(NULL);
	leak_directory(2);
	leak_socket(6);
	leak_epoll(1);
	leak_event(2);
	leak_timer(3);
	leak_notify(2);
	leak_memory(4);
	leak_copy(3);
	leak_control(2);
	leak_signal(2);
	leak_pipe(2);
	leak_pair(3);
	leak_accepted(4);
	closed_by_range();
	leak_replacing();
	failed();
	pthread_join(thread, NULL);
	child = fork();
	if (!child)
		in_child();
	usleep(1000000);
	printf("done\n");
	fflush(stdout);
	while (!target_stop)
		usleep(20000);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return 0;
}
