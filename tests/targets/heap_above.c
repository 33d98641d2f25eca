/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap_above N [switch] has its own allocator with C's names, which signal handlers may use, and a
 * thread whose signal stack is above its own stack. The handler interrupts malloc and calls it.
 * With "switch" malloc itself switches to another stack above, and calls malloc there. Built with
 * -DKNOWN it has the name of an allocator that does neither.
 */
#include "heap_truth.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>

#define STACK (256 << 10)

static struct site outside = {.name = "outside_handler"}, handled = {.name = "in_handler"};
static char arena[64 << 20];
static size_t used;
static volatile long interrupted, inside, rounds;
static pid_t worker;
static char *stacks;
static int switches;
static __thread int is_worker;
static ucontext_t here, there;

#ifdef KNOWN
int mi_version(void)
{
	return 212;
}
#endif

static NOINLINE void linger(void)
{
	/* This takes long enough to be interrupted often. */
	for (volatile int i = 0; i < 20000; i++)
		;
	if (switches && is_worker && inside == 1 && rounds % 3 == 0)
		swapcontext(&here, &there);
}

NOINLINE void *malloc(size_t size)
{
	char *p = arena + __atomic_fetch_add(&used, (size + 31) & ~(size_t)15, __ATOMIC_RELAXED) %
				  (sizeof(arena) - (1 << 20));

	inside++;
	linger();
	inside--;
	memcpy(p, &size, sizeof(size));
	return p + 16;
}

NOINLINE void free(void *p)
{
	USED(p);
}

void *calloc(size_t count, size_t size)
{
	void *p = malloc(count * size);

	return memset(p, 0, count * size);
}

void *realloc(void *old, size_t size)
{
	size_t before = 0;
	void *p = malloc(size);

	if (old)
		memcpy(&before, (char *)old - 16, sizeof(before));
	return memcpy(p, old ? old : "", before < size ? before : size);
}

static NOINLINE void in_handler(void)
{
	void *p = malloc(120);

	USED(p);
	site_alloc(&handled, 120);
}

static void on_signal(int signal UNUSED)
{
	int saved = errno;

	interrupted += inside != 0;
	in_handler();
	errno = saved;
}

static NOINLINE void outside_handler(void)
{
	void *p = malloc(60);

	USED(p);
	site_alloc(&outside, 60);
	free(p);
	site_free(&outside, 60);
}

static void on_stack_above(void)
{
	for (;;) {
		in_handler();
		swapcontext(&there, &here);
	}
}

static void *work(void *arg)
{
	stack_t above = {.ss_sp = stacks + STACK, .ss_size = STACK};
	long n = *(long *)arg;

	is_worker = 1;
	worker = (pid_t)syscall(SYS_gettid);
	sigaltstack(&above, NULL);
	if (switches) {
		getcontext(&there);
		there.uc_stack.ss_sp = stacks + 2 * STACK;
		there.uc_stack.ss_size = STACK;
		makecontext(&there, on_stack_above, 0);
	}
	for (rounds = 0; rounds < n; rounds++)
		outside_handler();
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigaction action;
	pthread_attr_t attr;
	pthread_t thread;
	long n = argc > 1 ? atol(argv[1]) : 1000;

	switches = argc > 2;
	stacks = mmap(NULL, 3 * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(&action, 0, sizeof(action));
	action.sa_handler = on_signal;
	action.sa_flags = SA_ONSTACK | SA_RESTART;
	sigaction(SIGUSR2, &action, NULL);
	site_known(&outside);
	site_known(&handled);
	heap_begin();
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, stacks, STACK);
	pthread_create(&thread, &attr, work, &n);
	while (!switches && rounds < n - 1) {
		if (worker)
			pthread_kill(thread, SIGUSR2);
		usleep(200);
	}
	pthread_join(thread, NULL);
	printf("interrupted %ld\n", interrupted);
	heap_end();
	return 0;
}
