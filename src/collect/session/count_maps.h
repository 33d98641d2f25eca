/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two maps in which BPF programs count (counts_a and counts_b of bpf/maps.bpf.h). Programs
 * count in one while the other is emptied, so no count is lost or taken twice.
 */
#ifndef CPROF_COLLECT_COUNT_MAPS_H
#define CPROF_COLLECT_COUNT_MAPS_H

#include <bpf/libbpf.h>

#include "base/bpf_shared.h"
#include "collect/session/program_barrier.h"

struct count_batch;

struct count_maps {
	struct sample_control *control; /* borrowed, like the maps */
	int fd[2];
	u32 max; /* number of keys in each */
	struct program_barrier barrier;
	u32 left; /* the map that is no longer counted in, while `barrier` is begun */
	/* allocated in advance, so that reading counts needs no memory */
	struct count_batch *batch;
};

#define COUNT_MAPS_NONE ((struct count_maps){.barrier = PROGRAM_BARRIER_NONE})

int count_maps_init(struct count_maps *m, const struct bpf_object *obj,
		    struct sample_control *control) MUST_CHECK;
void count_maps_release(struct count_maps *m);

bool count_maps_half_full(const struct count_maps *m);
/*
 * Makes programs count in the other map from now on, and no longer in this one, whose number is
 * *full. After an error some still may, so it must not be emptied now. That loses nothing, because
 * the next change makes it the one to count in.
 */
int count_maps_change(struct count_maps *m, u32 *full) MUST_CHECK;
/*
 * Does the same without waiting, which takes 5 to 20 ms. count_maps_end_change() waits for the rest
 * of it, and returns as count_maps_change() does. There must be no other change in between.
 */
void count_maps_begin_change(struct count_maps *m);
bool count_maps_is_changing(const struct count_maps *m);
bool count_maps_has_changed(const struct count_maps *m); /* _end_change() will not wait */
int count_maps_end_change(struct count_maps *m, u32 *full) MUST_CHECK;

typedef void (*counts_fn)(void *arg, const struct sample_key *keys,
			  const struct sample_count *counts, u32 n);
/* Passes on what is in a map that no program counts in, and removes it. */
int count_maps_empty(struct count_maps *m, u32 which, counts_fn fn, void *arg) MUST_CHECK;

#endif
