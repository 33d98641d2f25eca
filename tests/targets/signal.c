/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spends its time in a signal handler, on the interrupted stack or, with the argument "alt", on a
 * signal stack. worker raises the signal, so the whole stack is handler, __restore_rt, raise,
 * worker, main. With "timer" the signal arrives at any instruction of worker.
 */
#include "target.h"

#include <sys/time.h>

static NOINLINE void in_handler(void)
{
	TARGET_SPIN(5000000);
}

static NOINLINE void on_signal(int number UNUSED)
{
	in_handler();
	NO_TAIL_CALL();
}

static NOINLINE void worker(int timer)
{
	if (timer)
		TARGET_SPIN(1000000);
	else
		raise(SIGUSR1);
	NO_TAIL_CALL();
}

int main(int argc, char **argv)
{
	static char alternate[64 << 10];
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
	struct itimerval every = {{0, 10000}, {0, 10000}};
	const char *how = argc > 1 ? argv[1] : "";
	struct sigaction action = {.sa_handler = on_signal};

	if (!strcmp(how, "alt")) {
		sigaltstack(&stack, NULL);
		action.sa_flags = SA_ONSTACK;
	}
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGPROF, &action, NULL);
	target_ready();
	if (!strcmp(how, "timer"))
		setitimer(ITIMER_PROF, &every, NULL);
	while (!target_stop)
		worker(!strcmp(how, "timer"));
	return 0;
}
