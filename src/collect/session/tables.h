/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unwind tables on their way into the kernel: a pool of 4 KiB pages in array maps that are mapped here,
 * so that a table of a million rows is loaded by memcpy and not by system calls. Layout: bpf/shared.h.
 */
#ifndef CPROF_COLLECT_TABLES_H
#define CPROF_COLLECT_TABLES_H

#include "unwind/rows.h"

struct tables;

/* The maps' descriptors are borrowed and must outlive the pool. */
struct tables_maps {
	int chunks_fd; /* array of maps: TABLE_MAX_CHUNKS of TABLE_CHUNK_PAGES pages */
	int rules_fd; /* struct unwind_rule[UNWIND_MAX_RULES], mmapable */
	int modules_fd; /* struct module_table[MODULE_MAX], mmapable */
};

int tables_new(const struct tables_maps *maps, struct tables **out) MUST_CHECK;
void tables_free(struct tables *t);

struct rule_set *tables_rules(struct tables *t); /* to compile rows with */

/* Copies a module's rows into the pool and makes them visible. -ENOSPC: the pool is full. */
int tables_load(struct tables *t, u32 module, const struct rows *rows) MUST_CHECK;
/* The module's file did not answer: stacks that end in it say so. Until tables_load(). */
void tables_set_unread(struct tables *t, u32 module);
/* A loaded module's tables as the user-space walker takes them; borrowed. False: none. */
bool tables_view(struct tables *t, u32 module, struct rows *view);
const struct unwind_rule *tables_rule_array(const struct tables *t);
u64 tables_rows(const struct tables *t); /* loaded so far */

#endif
