/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's table of places for probes on allocators (struct heap_site), whose numbers are the
 * cookies of the probes. The table is small, and recordings may see the allocators of thousands of
 * programs, so numbers are given back and used again.
 */
#ifndef CPROF_COLLECT_SITE_TABLE_H
#define CPROF_COLLECT_SITE_TABLE_H

#include "base/bpf_shared.h"
#include "collect/probe/uprobe.h"

struct site_table {
	int fd; /* of the map; -1 if there is none, for tests */
	u32 size; /* numbers in the map, at most HEAP_MAX_SITES */
	u32 used, next; /* numbers in use, and the one to try next */
	u64 taken[HEAP_MAX_SITES / 64];
};

/*
 * Takes a number for a place, sets it in `site`, and tells the kernel. The number that has been
 * free for the longest comes first, since a probe that is being removed may still use an old one.
 * Returns -ENOSPC if none is left, or another negative errno.
 */
int site_table_put(struct site_table *t, struct heap_site *site) MUST_CHECK;
void site_table_give_back(struct site_table *t, u32 number);
/* Gives back the cookies of places. */
void site_table_give_back_all(struct site_table *t, const uprobe_places *places);

#endif
