/* SPDX-License-Identifier: Apache-2.0 */
/* Empties BPF maps, so that they are as they were when they were created. */
#ifndef CPROF_COLLECT_MAP_EMPTY_H
#define CPROF_COLLECT_MAP_EMPTY_H

#include <bpf/libbpf.h>

#include "base/types.h"

/*
 * Removes all entries of a hash map, sets those of an array to 0 (on all CPUs), and drops what is
 * in a ring buffer. Nothing may be using the map. Returns -ENOTSUP for other types.
 */
int map_empty(const struct bpf_map *map) MUST_CHECK;

#endif
