/* SPDX-License-Identifier: Apache-2.0 */
/* The two maps in which BPF programs count: see count_maps.h. */
#include "collect/session/count_maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#define BATCH 1024

struct count_batch {
	struct sample_key keys[BATCH];
	struct sample_count counts[BATCH];
};

int count_maps_init(struct count_maps *m, const struct bpf_object *obj,
		    struct sample_control *control)
{
	*m = COUNT_MAPS_NONE;
	m->control = control;
	m->fd[0] = bpf_object__find_map_fd_by_name(obj, "counts_a");
	m->fd[1] = bpf_object__find_map_fd_by_name(obj, "counts_b");
	m->max = bpf_map__max_entries(bpf_object__find_map_by_name(obj, "counts_a"));
	m->batch = malloc(sizeof(*m->batch));
	return m->batch ? program_barrier_init(&m->barrier) : -ENOMEM;
}

void count_maps_release(struct count_maps *m)
{
	program_barrier_release(&m->barrier);
	free(m->batch);
	m->batch = NULL;
}

bool count_maps_half_full(const struct count_maps *m)
{
	return __atomic_load_n(&m->control->active_keys, __ATOMIC_RELAXED) > m->max / 2;
}

/* Returns the one that programs begin to leave. */
static u32 turn_over(struct count_maps *m)
{
	u32 left = m->control->active_counts;

	__atomic_store_n(&m->control->active_counts, !left, __ATOMIC_SEQ_CST);
	__atomic_store_n(&m->control->active_keys, 0, __ATOMIC_SEQ_CST);
	return left;
}

int count_maps_change(struct count_maps *m, u32 *full)
{
	*full = turn_over(m);
	return program_barrier_wait(&m->barrier);
}

void count_maps_begin_change(struct count_maps *m)
{
	m->left = turn_over(m);
	program_barrier_begin(&m->barrier);
}

bool count_maps_is_changing(const struct count_maps *m)
{
	return m->barrier.begun;
}

bool count_maps_has_changed(const struct count_maps *m)
{
	return program_barrier_is_over(&m->barrier);
}

int count_maps_end_change(struct count_maps *m, u32 *full)
{
	*full = m->left;
	return program_barrier_end(&m->barrier);
}

int count_maps_empty(struct count_maps *m, u32 which, counts_fn fn, void *arg)
{
	struct count_batch *b = m->batch;
	u64 position = 0; /* opaque to us; the kernel keeps a bucket number there */
	bool first = true;
	int err = 0;

	while (!err) {
		u32 n = BATCH;

		err = bpf_map_lookup_and_delete_batch(m->fd[which], first ? NULL : &position,
						      &position, b->keys, b->counts, &n, NULL);
		if (!err || err == -ENOENT)
			fn(arg, b->keys, b->counts, n);
		first = false;
	}
	return err == -ENOENT ? 0 : err; /* ENOENT means that this was the last batch. */
}
