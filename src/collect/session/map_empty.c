/* SPDX-License-Identifier: Apache-2.0 */
/* Empties BPF maps: see map_empty.h. */
#include "collect/session/map_empty.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>

#define BATCH 1024u /* more than a bucket of a hash map has, which the kernel needs */

struct batch {
	u32 n; /* entries that there is space for */
	u8 *keys, *values;
};

static int batch_init(struct batch *b, u32 n, size_t key_size, size_t value_size)
{
	*b = (struct batch){.n = n, .keys = calloc(n, key_size), .values = calloc(n, value_size)};
	return b->keys && b->values ? 0 : -ENOMEM;
}

static void batch_release(struct batch *b)
{
	free(b->keys);
	free(b->values);
}

static int empty_hash(const struct bpf_map *map)
{
	u64 position = 0; /* opaque to us; the kernel keeps a bucket number there */
	struct batch b;
	int err = batch_init(&b, BATCH, bpf_map__key_size(map), bpf_map__value_size(map));
	bool first = true;

	while (!err) {
		u32 n = b.n;

		err = bpf_map_lookup_and_delete_batch(bpf_map__fd(map), first ? NULL : &position,
						      &position, b.keys, b.values, &n, NULL);
		first = false;
	}
	batch_release(&b);
	return err == -ENOENT ? 0 : err; /* ENOENT means that this was the last batch. */
}

static int empty_array(const struct bpf_map *map)
{
	const u32 entries = bpf_map__max_entries(map);
	struct batch b;
	int err = batch_init(&b, entries < BATCH ? entries : BATCH, sizeof(u32),
			     bpf_map__value_size(map));

	for (u32 at = 0; !err && at < entries; at += b.n) {
		u32 n = entries - at < b.n ? entries - at : b.n, *keys = (u32 *)b.keys;

		for (u32 i = 0; i < n; i++)
			keys[i] = at + i;
		err = bpf_map_update_batch(bpf_map__fd(map), b.keys, b.values, &n, NULL);
	}
	batch_release(&b);
	return err;
}

/* The kernel takes a value for each CPU that there may be, each in whole words. */
static int empty_percpu_array(const struct bpf_map *map)
{
	const size_t size = (bpf_map__value_size(map) + 7u) & ~(size_t)7;
	int ncpus = libbpf_num_possible_cpus(), err = 0;
	void *zeros;

	if (ncpus < 1)
		return -ENOTSUP;
	zeros = calloc((size_t)ncpus, size);
	if (!zeros)
		return -ENOMEM;
	for (u32 i = 0; !err && i < bpf_map__max_entries(map); i++)
		err = bpf_map_update_elem(bpf_map__fd(map), &i, zeros, BPF_ANY);
	free(zeros);
	return err;
}

static int drop(void *arg, void *data, size_t size)
{
	return 0;
}

static int empty_ring(const struct bpf_map *map)
{
	struct ring_buffer *ring = ring_buffer__new(bpf_map__fd(map), drop, NULL, NULL);
	int left;

	if (!ring)
		return -errno;
	left = ring_buffer__consume(ring);
	ring_buffer__free(ring);
	return left < 0 ? left : 0;
}

int map_empty(const struct bpf_map *map)
{
	switch (bpf_map__type(map)) {
	case BPF_MAP_TYPE_HASH:
		return empty_hash(map);
	case BPF_MAP_TYPE_ARRAY:
		return empty_array(map);
	case BPF_MAP_TYPE_PERCPU_ARRAY:
		return empty_percpu_array(map);
	case BPF_MAP_TYPE_RINGBUF:
		return empty_ring(map);
	default:
		return -ENOTSUP;
	}
}
