/* SPDX-License-Identifier: Apache-2.0 */
/* Forks processes for work that may not end: see helper_process.h. */
#include "base/helper_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory_used.h"

#define LOOK_MS 20

static void on_crash(int signo)
{
	_exit(1); /* without a core file */
}

static void set_signals(void)
{
	static const int crashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP};

	for (size_t i = 0; i < ARRAY_LEN(crashes); i++)
		signal(crashes[i], on_crash);
	/* These signals go to the whole terminal, and cprof itself handles them. */
	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		signal(ignored[i], SIG_IGN);
}

/* Output of a library that gives up, and what is left in cprof's buffers, must not be printed by
 * the fork. */
static void silence(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
}

/* close_range(2), which glibc has since 2.34, Linux since 5.9. */
static void close_others(int sock)
{
	const unsigned int keep = (unsigned int)sock;

	if (keep > STDERR_FILENO + 1)
		syscall(SYS_close_range, STDERR_FILENO + 1, keep - 1, 0);
	syscall(SYS_close_range, keep + 1, ~0u, 0);
}

static void run(enum helper_files files, void (*serve)(void *arg, int sock), void *arg, int sock)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	set_signals();
	silence();
	if (files == HELPER_CLOSES_FILES)
		close_others(sock);
	serve(arg, sock);
	_exit(0);
}

int helper_process_start(struct helper_process *p, enum helper_files files,
			 void (*serve)(void *arg, int sock), void *arg)
{
	const int type = files == HELPER_CLOSES_FILES ? SOCK_SEQPACKET : SOCK_STREAM;
	int pair[2];

	if (p->pid)
		return 0;
	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair))
		return -errno;
	p->pid = fork();
	if (!p->pid) {
		close(pair[0]);
		run(files, serve, arg, pair[1]);
	}
	close(pair[1]);
	p->sock = pair[0];
	if (p->pid > 0)
		return 0;
	p->pid = 0;
	close(pair[0]);
	return -EAGAIN;
}

static u64 timeval_ns(struct timeval t)
{
	return (u64)t.tv_sec * NSEC_PER_SEC + (u64)t.tv_usec * 1000;
}

void helper_cost_add(struct helper_cost *sum, const struct helper_cost *more)
{
	sum->cpu_ns += more->cpu_ns;
	if (more->memory_kb > sum->memory_kb)
		sum->memory_kb = more->memory_kb;
}

void helper_process_end(struct helper_process *p, bool at_once)
{
	struct rusage u = {.ru_maxrss = 0};
	struct helper_cost cost;

	if (!p->pid)
		return;
	if (at_once)
		kill(p->pid, SIGKILL);
	close(p->sock);
	while (wait4(p->pid, NULL, 0, &u) < 0 && errno == EINTR)
		;
	cost = (struct helper_cost){.cpu_ns = timeval_ns(u.ru_utime) + timeval_ns(u.ru_stime),
				    .memory_kb = (u64)u.ru_maxrss};
	helper_cost_add(&p->cost, &cost);
	p->pid = 0;
}

void helper_process_limit_memory(u64 bytes)
{
	u64 end = memory_used().size + bytes;
	struct rlimit limit;

	if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur < end)
		return;
	limit.rlim_cur = end;
	setrlimit(RLIMIT_AS, &limit);
}

u64 helper_process_cpu(const struct helper_process *p)
{
	clockid_t cpu;

	if (!p->pid || clock_getcpuclockid(p->pid, &cpu))
		return p->cost.cpu_ns;
	return p->cost.cpu_ns + clock_ns(cpu);
}

bool helper_process_answers(const struct helper_process *p, u64 cpu_ns, u64 time_ns)
{
	u64 end = time_ns ? clock_ns(CLOCK_MONOTONIC) + time_ns : UINT64_MAX;
	u64 cpu_end = helper_process_cpu(p) + cpu_ns;
	struct pollfd fd = {.fd = p->sock, .events = POLLIN};

	for (;;) {
		if (poll(&fd, 1, LOOK_MS) > 0)
			return true;
		if (helper_process_cpu(p) > cpu_end || clock_ns(CLOCK_MONOTONIC) > end)
			return false;
	}
}

void helper_process_allow_stack(u64 bytes)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_STACK, &limit) || limit.rlim_cur >= bytes)
		return;
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	setrlimit(RLIMIT_STACK, &limit);
}
