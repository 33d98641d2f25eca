/* SPDX-License-Identifier: Apache-2.0 */
/* Handles the signals that end cprof: see interrupt.h. A signal handler can only use variables like
 * these. */
#include "interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "exit_codes.h"

#define KEYSTROKES_TO_QUIT 3

static volatile sig_atomic_t recording, count, keystrokes, quits;

static void on_signal(int signo)
{
	static const char text[] = "cprof: interrupted before anything was recorded\n";

	if (!recording) {
		/* If that fails, there is nobody to tell. */
		if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
			_exit(CPROF_EXIT_FAILED);
		_exit(CPROF_EXIT_FAILED);
	}
	count++;
	keystrokes += signo == SIGINT;
	if (quits || keystrokes >= KEYSTROKES_TO_QUIT)
		_exit(CPROF_EXIT_FAILED);
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

void interrupt_recording(void)
{
	recording = 1;
}

int interrupt_count(void)
{
	return count;
}

void interrupt_quit_at_next(void)
{
	quits = 1;
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
