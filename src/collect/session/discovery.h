/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prepares a recording. It registers the targets with the kernel, which lists their mappings, and
 * it loads the tables of all these files.
 */
#ifndef CPROF_COLLECT_DISCOVERY_H
#define CPROF_COLLECT_DISCOVERY_H

#include <bpf/libbpf.h>

#include "collect/collector.h"
#include "collect/session/module_set.h"

struct discovery { /* All of them are borrowed. */
	const struct collect_options *opt;
	struct module_set *modules;
	int initial_threads_fd;
	struct bpf_program *list_mappings;
	char *const *extra; /* files that will be needed soon, ended by NULL; may be NULL */
};

int discovery_run(const struct discovery *d) MUST_CHECK;

#endif
