/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All test programs share this: they print "ready", work until SIGTERM, and end by themselves after
 * a few minutes, so a broken test leaves nothing behind.
 */
#ifndef CPROF_TESTS_TARGET_H
#define CPROF_TESTS_TARGET_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef __clang__
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE __attribute__((noipa))
#endif
#define UNUSED __attribute__((unused))

/* Placed after a call, it prevents a tail call, because a function that jumps away is not on the
 * stack. */
#define NO_TAIL_CALL() __asm__ volatile("" ::: "memory")

#define TARGET_SECONDS 300 /* on a busy machine a test of some seconds takes minutes */

static volatile sig_atomic_t target_stop;

static UNUSED void target_on_term(int signal UNUSED)
{
	target_stop = 1;
}

static UNUSED void target_ready(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = target_on_term;
	sigaction(SIGTERM, &action, NULL);
	alarm(TARGET_SECONDS);
	printf("ready\n");
	fflush(stdout);
}

static UNUSED double target_clock(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec + ts.tv_nsec * 1e-9;
}

/* Uses some CPU time, about 1 ns an iteration wherever the loop is placed. */
#define TARGET_SPIN(iterations)                                     \
	do {                                                        \
		long spin_ = (iterations);                          \
		__asm__ volatile(".p2align 5\n1:\tdec %0\n\tjnz 1b" \
				 : "+r"(spin_)                      \
				 :                                  \
				 : "cc", "memory");                 \
	} while (0)

#endif
