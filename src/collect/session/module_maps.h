/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds the BPF maps with modules and their unwind tables. They are created once, and the programs
 * of all recordings share them, so a file is loaded only once.
 */
#ifndef CPROF_COLLECT_MODULE_MAPS_H
#define CPROF_COLLECT_MODULE_MAPS_H

#include <bpf/libbpf.h>

#include "base/bpf_shared.h"
#include "collect/session/program_barrier.h"
#include "collect/session/tables.h"

struct module_maps {
	struct tables_maps tables;
	int modules_fd; /* maps the kernel's inode to the number; 0 while it is being loaded */
	int moved_fd; /* maps mappings without a file of their own to what they are */
	int state_fd;
	struct modules_state *state; /* mapped */
	struct program_barrier barrier;
};

#define MODULE_MAPS_NONE                                                                     \
	((struct module_maps){.tables = {.chunks_fd = -1, .rules_fd = -1, .modules_fd = -1}, \
			      .modules_fd = -1,                                              \
			      .moved_fd = -1,                                                \
			      .state_fd = -1,                                                \
			      .barrier = PROGRAM_BARRIER_NONE})

/* Creates the maps. On a negative errno (-EPERM without privileges), `out` is MODULE_MAPS_NONE. */
int module_maps_open(struct module_maps *out) MUST_CHECK;
void module_maps_close(struct module_maps *m);

/* Makes the programs of `obj`, which must not be loaded yet, use these maps. Returns 0 or a
 * negative errno. */
int module_maps_use(const struct module_maps *m, struct bpf_object *obj) MUST_CHECK;

/* Returns whether the map of this name is one of these. */
bool module_maps_is_shared(const char *map);

/* Returns when every program that was running at the call has ended, which takes 5 to 20 ms. */
void module_maps_wait_programs(const struct module_maps *m);

#endif
