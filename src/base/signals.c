/* SPDX-License-Identifier: Apache-2.0 */
/* Handles the signals of failed writes: see signals.h. */
#include "base/signals.h"

#include <signal.h>
#include <stddef.h>

#include "base/types.h"

static const int of_writes[] = {SIGPIPE, SIGXFSZ};

static void set_all(void (*handler)(int))
{
	for (size_t i = 0; i < ARRAY_LEN(of_writes); i++)
		signal(of_writes[i], handler);
}

void signals_ignore_failed_writes(void)
{
	set_all(SIG_IGN);
}

void signals_reset(void)
{
	sigset_t none;

	set_all(SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}
