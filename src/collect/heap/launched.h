/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows the programs that a command runs, if libcprof-heap.so is preloaded into it. A program
 * that has an allocator of its own gets its probes for every process that runs it, so that they are
 * there from its first instruction when it runs again. A process that asks for probes
 * (base/sampler_question.h) waits until it has them.
 */
#ifndef CPROF_COLLECT_LAUNCHED_H
#define CPROF_COLLECT_LAUNCHED_H

#include "base/bpf_shared.h"
#include "base/log.h"
#include "collect/heap/seen_programs.h"
#include "collect/probe/probe_set.h"

struct launched { /* all of it is borrowed */
	struct probe_set *set;
	struct seen_programs *programs;
	struct module_set *modules; /* of the recording */
	int modules_fd; /* the BPF map of their numbers */
	const char *sampler; /* the path of the library */
	struct readers *readers;
	const struct log *log;
};

/* Takes in what the kernel reports about a process, in the thread that searches processes. */
void launched_hear(const struct launched *l, const struct new_process *news);
/* Takes back what the kernel did for a question that nobody answers, as of a program that another
 * cprof has started: its file does not count as being loaded. */
void launched_ignore(const struct launched *l, const struct new_process *question);
/* Does what is done for its program each time before such a process is searched. */
void launched_find(const struct launched *l, pid_t tgid);

#endif
