/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stores where processes run, by container and systemd unit, each pair once and known by its
 * number. A process is looked up when its first stack arrives, so nothing is done for each sample,
 * and no program in the kernel knows about it.
 */
#ifndef CPROF_COLLECT_PLACE_TABLE_H
#define CPROF_COLLECT_PLACE_TABLE_H

#include "base/vec.h"
#include "profile/id_table.h"
#include "target/container.h"

#define PLACE_NONE 0u
/* Whoever may make control groups could make millions; those that come later have no place. */
#define PLACES_MAX 16384u

struct place {
	char *container, *unit; /* owned; may be "" */
};

struct place_table {
	VEC(struct place) items; /* number 1 is the first one */
	struct id_table index;
	size_t bytes; /* of all texts */
	u64 gone; /* processes that had ended before they were looked up */
};

void place_table_release(struct place_table *t);
/* PLACE_NONE if the process has neither, if it has ended, or without memory. */
u32 place_table_of(struct place_table *t, pid_t tgid);
u32 place_table_put(struct place_table *t, const struct process_place *place);
/* NULL for PLACE_NONE */
const struct place *place_table_get(const struct place_table *t, u32 number);
size_t place_table_bytes(const struct place_table *t);

#endif
