/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Before recording: the targets are made known to the kernel, it lists what they have mapped, and the tables of all these
 * files are loaded.
 */
#ifndef CPROF_COLLECT_DISCOVERY_H
#define CPROF_COLLECT_DISCOVERY_H

#include <bpf/libbpf.h>

#include "collect/collector.h"
#include "collect/session/module_set.h"

struct discovery { /* all borrowed */
	const struct collect_options *opt;
	struct module_set *modules;
	int initial_threads_fd;
	struct bpf_program *list_mappings;
	char *const *extra; /* files that will be needed soon; may be NULL, NULL at the end */
};

int discovery_run(const struct discovery *d) MUST_CHECK;

#endif
