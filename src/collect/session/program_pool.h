/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps BPF objects that are loaded but not in use, for the next recordings of this process. The
 * verifier takes 30 to 400 ms for the programs of one recording. An object of a recording that has
 * ended is emptied and used again, and when a recording takes one, up to two spare ones are loaded.
 * A thread of the pool does both.
 *
 * Programs can be taken over only by a recording with the same settings, because these are
 * constants to the verifier. The target is none of them, except for a control group.
 *
 * All functions may be called from several threads.
 */
#ifndef CPROF_COLLECT_PROGRAM_POOL_H
#define CPROF_COLLECT_PROGRAM_POOL_H

#include "collect/session/module_maps.h"
#include "collect/session/skeleton.h"

struct program_pool;

struct program_pool_stats {
	u64 loaded; /* objects that a recording had to wait for, from program_pool_load() */
	u64 spares; /* objects that were loaded ahead */
	u64 reused; /* objects that a recording took over */
	u64 waited; /* those of them that were not ready yet */
	u32 idle; /* objects that are there now */
};

/* Keeps at most `max` objects, but not their maps of modules, which are `maps` (borrowed). Freed
 * memory of the whole process then goes back to the kernel. */
int program_pool_new(const struct module_maps *maps, u32 max, struct program_pool **out) MUST_CHECK;
/* Call it once all objects have been returned. NULL is allowed. */
void program_pool_free(struct program_pool *p);

/*
 * Loads `opened`, whose settings are complete, or frees it and returns an object that is loaded
 * already. It belongs to the caller in either case. On a negative errno in *err it is not loaded.
 * `p` may be NULL.
 */
void *program_pool_load(struct program_pool *p, skeleton_open_fn open, void *opened, int *err);
/*
 * Takes an object back, in any state; NULL is allowed. Its links are destroyed here. Links that are
 * not part of the skeleton must be gone already. Without a pool the object is freed.
 */
void program_pool_return(struct program_pool *p, skeleton_open_fn open, void *skel);

struct program_pool_stats program_pool_stats(struct program_pool *p);
/* Waits until the thread has nothing to do: what was returned is empty, and spares are loaded. */
void program_pool_settle(struct program_pool *p);

#endif
