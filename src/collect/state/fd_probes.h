/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes behind the system calls of C libraries that open descriptors, in the files that targets
 * have mapped. They are attached for one process at a time.
 */
#ifndef CPROF_COLLECT_FD_PROBES_H
#define CPROF_COLLECT_FD_PROBES_H

#include "collect/probe/probe_set.h"

struct fd_probes;

struct fd_programs {
	int syscall; /* the descriptor of the program */
	bool links; /* it was loaded for uprobe_multi links */
	struct uprobe_pins *pins; /* borrowed, like everything that follows */
	u32 kernel; /* enum probe_kernel */
	struct readers *readers;
	struct module_set *modules; /* the recording's modules, which open files */
	const struct log *log;
};

int fd_probes_new(const struct fd_programs *programs, struct fd_probes **out) MUST_CHECK;
void fd_probes_free(struct fd_probes *d); /* detaches; NULL is allowed */
struct probe_set *fd_probes_set(struct fd_probes *d); /* borrowed */

#endif
