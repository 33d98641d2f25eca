/* SPDX-License-Identifier: Apache-2.0 */
/* Ctrl-C and SIGTERM: see interrupt.h. A signal handler has nothing but these two to work with. */
#include "interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#define EXIT_BY_SIGNAL 128 /* a shell's convention */

static volatile sig_atomic_t count;

static void on_signal(int signo)
{
	if (++count > 1)
		_exit(EXIT_BY_SIGNAL + signo);
}

static void fill(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
}

void interrupt_install(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

int interrupt_count(void)
{
	return count;
}

void interrupt_hold(void)
{
	sigset_t set;

	fill(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

void interrupt_release(void)
{
	sigset_t set;

	fill(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}
