/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BPF maps in which modules and their unwind tables lie. They are made once and shared by the programs of all
 * recordings, so that a file is loaded once, whoever records it.
 */
#ifndef CPROF_COLLECT_MODULE_MAPS_H
#define CPROF_COLLECT_MODULE_MAPS_H

#include <bpf/libbpf.h>

#include "base/bpf_shared.h"
#include "collect/session/program_barrier.h"
#include "collect/session/tables.h"

struct module_maps {
	struct tables_maps tables;
	int modules_fd; /* the kernel's inode -> number; 0: being loaded */
	int state_fd;
	struct modules_state *state; /* mapped */
	struct program_barrier barrier;
};

#define MODULE_MAPS_NONE                                                                     \
	((struct module_maps){.tables = {.chunks_fd = -1, .rules_fd = -1, .modules_fd = -1}, \
			      .modules_fd = -1,                                              \
			      .state_fd = -1,                                                \
			      .barrier = PROGRAM_BARRIER_NONE})

/* A negative errno (-EPERM without privileges) leaves MODULE_MAPS_NONE. */
int module_maps_open(struct module_maps *out) MUST_CHECK;
void module_maps_close(struct module_maps *m);

/* Has the programs of `obj`, which is not loaded yet, use these maps. 0 or a negative errno. */
int module_maps_use(const struct module_maps *m, struct bpf_object *obj) MUST_CHECK;

/* Returns when every program has ended that was running when it was called: after 5 to 20 ms. */
void module_maps_wait_programs(const struct module_maps *m);

#endif
