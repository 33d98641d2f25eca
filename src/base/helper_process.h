/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A forked process in which libraries work on bytes that anybody may have made, so that cprof loses
 * nothing if they crash, give up, or do not finish. It prints nothing, leaves no core file, is not
 * ended by Ctrl-C, and dies with cprof.
 */
#ifndef CPROF_BASE_HELPER_PROCESS_H
#define CPROF_BASE_HELPER_PROCESS_H

#include <sys/types.h>

#include "base/types.h"

struct helper_cost { /* sums over the processes that have ended */
	u64 cpu_ns;
	u64 memory_kb; /* of the largest process, including the memory that it shares with cprof */
};

struct helper_process { /* zeroed if there is none */
	pid_t pid; /* 0 if there is none */
	int sock; /* messages to and from the process */
	struct helper_cost cost;
};

enum helper_files {
	HELPER_KEEPS_FILES, /* a stream of bytes */
	/* Nothing that cprof closes stays open, such as its probes. The socket keeps messages
	 * separate. */
	HELPER_CLOSES_FILES,
};

/*
 * Forks the process if there is none. `serve` runs in it, and it ends when `serve` returns. Returns
 * 0, -EAGAIN, or another negative errno.
 */
int helper_process_start(struct helper_process *p, enum helper_files files,
			 void (*serve)(void *arg, int sock), void *arg) MUST_CHECK;

/* Waits until the process has ended, and adds its cost; with `at_once` it is killed. */
void helper_process_end(struct helper_process *p, bool at_once);
void helper_cost_add(struct helper_cost *sum, const struct helper_cost *more);

/*
 * Waits until recv() does not block, because there is a message or the process has ended. Returns
 * false when it has used `cpu_ns` of CPU time since the call, or when `time_ns` have passed (0 for
 * any time).
 */
bool helper_process_answers(const struct helper_process *p, u64 cpu_ns, u64 time_ns) MUST_CHECK;

/* Returns the CPU time of the process and of those before it. */
u64 helper_process_cpu(const struct helper_process *p);

/* Call it in the process. It limits by how many bytes the address space may grow. */
void helper_process_limit_memory(u64 bytes);
/* Call it in the process. Lets its stack grow up to `bytes`, as far as the hard limit allows. */
void helper_process_allow_stack(u64 bytes);

#endif
