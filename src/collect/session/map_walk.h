/* SPDX-License-Identifier: Apache-2.0 */
/* Visits all entries of a BPF hash map, in batches (BPF_MAP_LOOKUP_BATCH, since Linux 5.6). */
#ifndef CPROF_COLLECT_MAP_WALK_H
#define CPROF_COLLECT_MAP_WALK_H

#include "base/types.h"

/* A negative errno ends the walk. */
typedef int (*map_walk_fn)(void *arg, const void *key, const void *value);
/* Called between reading a batch and visiting its entries; may be NULL. */
typedef void (*map_walk_batch_fn)(void *arg);

struct map_walk {
	int fd;
	size_t key_size, value_size; /* multiples of 8, or the sizes that the map has */
	map_walk_fn entry;
	map_walk_batch_fn batch;
	void *arg;
};

/* Entries that are added or removed meanwhile may be seen or not. Returns -ENOMEM, or what `entry`
 * returned. */
int map_walk(const struct map_walk *w) MUST_CHECK;

#endif
