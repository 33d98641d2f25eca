/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap_intercepted N: while it allocates, the system calls of its thread go to its own handler,
 * which refuses them, as Wine's do (PR_SET_SYSCALL_USER_DISPATCH). Its allocator has the name of a
 * known one, so calls of its malloc may have return probes. It prints how many system calls
 * arrived.
 */
#include "heap_truth.h"

#include <sys/prctl.h>
#include <ucontext.h>

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59 /* Linux 5.11 */
#endif

static struct site site = {.name = "from_intercepted"};
static char arena[16 << 20];
static size_t used;
static volatile char refused; /* the kernel reads it at each system call */
static volatile long came;

int mi_version(void)
{
	return 212;
}

NOINLINE void *malloc(size_t size)
{
	char *p = arena + used;

	used = (used + size + 31) / 16 * 16 % (sizeof(arena) - (1 << 20));
	return p;
}

NOINLINE void free(void *p)
{
	USED(p);
}

static void on_call(int signal UNUSED, siginfo_t *info UNUSED, void *context)
{
	ucontext_t *c = context;

	refused = 0; /* sigreturn is one as well */
	came++;
	c->uc_mcontext.gregs[REG_RAX] = -38; /* ENOSYS */
}

static NOINLINE void from_intercepted(long i)
{
	size_t size = 1 + (size_t)(i % 100);
	void *p;

	refused = 1;
	p = malloc(size);
	USED(p);
	refused = 0;
	site_alloc(&site, size);
	free(p);
	site_free(&site, size);
}

int main(int argc, char **argv)
{
	struct sigaction action;
	long n = argc > 1 ? atol(argv[1]) : 1000;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = on_call;
	action.sa_flags = SA_SIGINFO;
	sigaction(SIGSYS, &action, NULL);
	if (prctl(PR_SET_SYSCALL_USER_DISPATCH, 1, 0, 0, &refused)) {
		printf("no such thing\n");
		return 77;
	}
	site_known(&site);
	heap_begin();
	for (long i = 0; i < n; i++)
		from_intercepted(i);
	printf("came %ld\n", came);
	heap_end();
	return 0;
}
