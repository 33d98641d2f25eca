/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stores where processes run, by container and systemd unit, each pair once and known by its
 * number. A process is looked up when its first stack arrives, so nothing is done for each sample.
 */
#ifndef CPROF_COLLECT_PLACE_TABLE_H
#define CPROF_COLLECT_PLACE_TABLE_H

#include "base/bpf_shared.h"
#include "base/vec.h"
#include "profile/id_table.h"
#include "target/container.h"

#define PLACE_NONE 0u /* also of a group */
/* Whoever may make control groups could make millions; those that come later have no place. */
#define PLACES_MAX 16384u

struct place {
	char *container, *unit; /* owned; may be "" */
};

/* Processes of one set of control groups are in one place. */
struct place_group {
	u64 groups, unified_group; /* as in struct thread_id */
	u32 place;
};

struct place_table {
	VEC(struct place) items; /* number 1 is the first one */
	struct id_table index;
	size_t bytes; /* of all texts */
	VEC(struct place_group) groups; /* at most PLACES_MAX */
	struct id_table by_groups;
};

void place_table_release(struct place_table *t);
/*
 * Finds the place of a thread's process. If the process has ended, it is that of another one with
 * the same control groups, which may be seen later, or by the path of its group. PLACE_NONE if
 * nothing is known yet; `*group` is then for place_table_get().
 */
u32 place_table_of(struct place_table *t, const struct thread_id *thread, u32 *group);
u32 place_table_put(struct place_table *t, const struct process_place *place);
/* NULL if neither the place nor that of the group is known */
const struct place *place_table_get(const struct place_table *t, u32 place, u32 group);
size_t place_table_bytes(const struct place_table *t);

#endif
