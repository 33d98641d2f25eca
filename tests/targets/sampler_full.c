/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sampler_full has the probes of a sampler whose table of live samples is full. At each SIGUSR1 it
 * reports 3 blocks of 1000 bytes and drops 7.
 */
#include <signal.h>
#include <stdio.h>

#include "../../src/arch/preload.h"

static __attribute__((noipa)) void report(uint64_t block)
{
	PROBE3("otel_memory", "alloc", block, 1000, 1000);
}

static __attribute__((noipa)) void drop(uint64_t total)
{
	PROBE1("cprof_heap", "dropped", total);
}

int main(void)
{
	static char blocks[3];
	sigset_t usr1;
	int signal;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	puts("ready");
	while (!fflush(stdout) && !sigwait(&usr1, &signal)) {
		for (int i = 0; i < 3; i++)
			report((uint64_t)(uintptr_t)&blocks[i]);
		for (uint64_t i = 1; i <= 7; i++)
			drop(i);
		puts("done");
	}
	return 0;
}
