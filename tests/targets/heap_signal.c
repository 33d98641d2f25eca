/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap_signal N [alt] raises N signals, whose handler allocates and frees, between the program's
 * own allocations; with "alt" the handler has a signal stack. Signals are raised only outside of
 * malloc, because an allocator need not survive anything else.
 */
#include "heap_truth.h"

static struct site handled = {.name = "in_handler"}, outside = {.name = "outside_handler"};
static long signals;

static NOINLINE void in_handler(void)
{
	void *p = malloc(120), *q = malloc(130);

	USED(p);
	USED(q);
	site_alloc(&handled, 120);
	site_alloc(&handled, 130);
	free(p);
	site_free(&handled, 120);
}

static void on_signal(int signal UNUSED)
{
	in_handler();
	signals++;
	NO_TAIL_CALL();
}

static NOINLINE void outside_handler(void)
{
	void *p = malloc(60);

	USED(p);
	site_alloc(&outside, 60);
}

int main(int argc, char **argv)
{
	static char stack[65536];
	long n = argc > 1 ? atol(argv[1]) : 1000;
	stack_t alt = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = on_signal;
	if (argc > 2) {
		sigaltstack(&alt, NULL);
		action.sa_flags = SA_ONSTACK;
	}
	sigaction(SIGUSR2, &action, NULL);
	site_known(&handled);
	site_known(&outside);
	heap_begin();
	for (long i = 0; i < n; i++) {
		outside_handler();
		raise(SIGUSR2);
	}
	if (signals != n)
		return 1;
	heap_end();
	return 0;
}
