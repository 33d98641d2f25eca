/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads unwind tables into the kernel. They are in a pool of 4 KiB pages in array maps that are
 * mapped here, so a table of a million rows is loaded by memcpy and not by system calls.
 * bpf/shared/rows.h describes the layout. Without BPF the same pool is in plain memory.
 *
 * A module's table is in the slot of its number (MODULE_SLOTS), so of all modules whose numbers
 * have the same slot only one can have a table at a time. It is not thread-safe.
 */
#ifndef CPROF_COLLECT_TABLES_H
#define CPROF_COLLECT_TABLES_H

#include "unwind/row_patch.h"

struct tables;

/* The maps' descriptors are borrowed and must outlive the pool. If all are -1, it uses plain
 * memory. */
struct tables_maps {
	int chunks_fd; /* array of maps: TABLE_MAX_CHUNKS of TABLE_CHUNK_PAGES pages */
	int rules_fd; /* struct unwind_rule[UNWIND_MAX_RULES], mmapable */
	int modules_fd; /* struct module_table[MODULE_SLOTS], mmapable */
};

int tables_new(const struct tables_maps *maps, struct tables **out) MUST_CHECK;
void tables_free(struct tables *t);

struct rule_set *tables_rules(struct tables *t); /* to compile rows with */

/* Copies a module's rows into the pool and makes them visible. Returns -ENOSPC if the pool is
 * full. */
int tables_load(struct tables *t, u32 module, const struct rows *rows) MUST_CHECK;
/* Sets why there is no table, which stacks that end in the module report. It holds until
 * tables_load(). */
void tables_set_missing(struct tables *t, u32 module, enum table_missing why);
/*
 * Empties the module's slot and takes its pages back. The caller has made sure that no program and
 * no walker in user space can be in the middle of a walk that found the module (module_store.h).
 */
void tables_unload(struct tables *t, u32 module);
/*
 * Gives a loaded module other rows where its code was left for later. Programs and walkers may use
 * the module meanwhile. Returns -ENOSPC if they do not fit. Then nothing is known of the code,
 * which is final as well.
 */
int tables_patch(struct tables *t, u32 module, const struct row_patch *patch) MUST_CHECK;
/* Returns the number of the rule for a file offset; UNWIND_RULE_NONE if there is no table. */
u32 tables_rule(struct tables *t, u32 module, u64 off);
/* Returns the epoch in which a program last saw the module (struct modules_state). */
u32 tables_seen(const struct tables *t, u32 module);
/* Gives a loaded module's tables in the form that the user-space walker takes; borrowed. It is
 * false if there are none. */
bool tables_view(struct tables *t, u32 module, struct rows *view);
const struct unwind_rule *tables_rule_array(const struct tables *t);
u64 tables_rows(const struct tables *t); /* loaded so far */
bool tables_are_in_kernel(const struct tables *t);

struct tables_size {
	u32 chunks; /* of TABLE_CHUNK_PAGES pages each, which the pool keeps */
	u32 pages; /* that hold tables */
};

struct tables_size tables_size(const struct tables *t);

#endif
