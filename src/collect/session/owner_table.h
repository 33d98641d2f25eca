/* SPDX-License-Identifier: Apache-2.0 */
/* Stores the threads that stacks belong to, each once and known by its number. */
#ifndef CPROF_COLLECT_OWNER_TABLE_H
#define CPROF_COLLECT_OWNER_TABLE_H

#include "base/bpf_shared.h"
#include "base/vec.h"
#include "collect/session/chains.h"

#define OWNER_NONE 0u /* all fields are 0 */
#define OWNER_BITS 24 /* of a number in the table */
#define OWNERS_MAX (1u << OWNER_BITS)

struct owner_item {
	struct thread_id owner; /* names are padded with zeroes */
	/* place_table.h; set by whoever adds the owner. The place of a group may be learned
	 * later. */
	u32 place, group;
	u32 next;
	u32 moved; /* while owners are dropped: 0, or the new number plus one */
};

struct owner_table {
	VEC(struct owner_item) items;
	struct chains index;
};

int owner_table_init(struct owner_table *t) MUST_CHECK;
void owner_table_release(struct owner_table *t);
size_t owner_table_bytes(const struct owner_table *t);

/* Names are compared including their padding. -ENOMEM leaves everything unchanged. */
int owner_table_put(struct owner_table *t, const struct thread_id *owner, u32 *number) MUST_CHECK;
const struct thread_id *owner_table_get(const struct owner_table *t, u32 number);

/*
 * Drops the owners that are no longer needed, which takes no memory: begin, mark each one in use,
 * renumber, look up the new number of each, end.
 */
void owner_table_begin(struct owner_table *t);
void owner_table_mark(struct owner_table *t, u32 number);
void owner_table_renumber(struct owner_table *t);
u32 owner_table_moved(const struct owner_table *t, u32 number);
void owner_table_end(struct owner_table *t);

#endif
