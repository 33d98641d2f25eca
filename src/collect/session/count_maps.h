/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two maps in which BPF programs count (counts_a and counts_b of bpf/maps.bpf.h): one is counted in while the
 * other is emptied, so that no count is lost or taken twice.
 */
#ifndef CPROF_COLLECT_COUNT_MAPS_H
#define CPROF_COLLECT_COUNT_MAPS_H

#include <bpf/libbpf.h>

#include "base/bpf_shared.h"
#include "collect/session/program_barrier.h"

struct count_batch;

struct count_maps {
	struct sample_control *control; /* borrowed, as the maps are */
	int fd[2];
	u32 max; /* keys in each */
	struct program_barrier barrier;
	struct count_batch *batch; /* made in time, so that counts need no memory to be read */
};

#define COUNT_MAPS_NONE ((struct count_maps){.barrier = {-1, -1}})

int count_maps_init(struct count_maps *m, const struct bpf_object *obj,
		    struct sample_control *control) MUST_CHECK;
void count_maps_release(struct count_maps *m);

bool count_maps_half_full(const struct count_maps *m);
/*
 * From now on programs count in the other map, and none counts in this one any more, whose number is *full. After an
 * error some may: it must not be emptied now, and loses nothing, as the next change makes it the one to count in.
 */
int count_maps_change(struct count_maps *m, u32 *full) MUST_CHECK;

typedef void (*counts_fn)(void *arg, const struct sample_key *keys,
			  const struct sample_count *counts, u32 n);
/* Hands over what is in a map that no program counts in, and takes it out. */
int count_maps_empty(struct count_maps *m, u32 which, counts_fn fn, void *arg) MUST_CHECK;

#endif
