/* SPDX-License-Identifier: Apache-2.0 */
/* Visits all entries of a BPF map: see map_walk.h. */
#include "collect/session/map_walk.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#define BATCH 512u

struct batch {
	u8 *keys, *values;
	u32 n, max;
};

static int batch_grow(struct batch *b, const struct map_walk *w, u32 max)
{
	u8 *keys = realloc(b->keys, max * w->key_size), *values;

	if (!keys)
		return -ENOMEM;
	b->keys = keys;
	values = realloc(b->values, max * w->value_size);
	if (!values)
		return -ENOMEM;
	b->values = values;
	b->max = max;
	return 0;
}

static int hand_over(const struct batch *b, const struct map_walk *w)
{
	int err = 0;

	if (w->batch)
		w->batch(w->arg);
	for (u32 i = 0; i < b->n && !err; i++)
		err = w->entry(w->arg, b->keys + i * w->key_size, b->values + i * w->value_size);
	return err;
}

int map_walk(const struct map_walk *w)
{
	struct batch b = {.n = 0};
	int err = batch_grow(&b, w, BATCH), code = 0;
	u64 position = 0; /* opaque to us; the kernel keeps a bucket number there */
	bool first = true;

	while (!err && code != -ENOENT) { /* ENOENT means that this was the last batch */
		b.n = b.max;
		code = bpf_map_lookup_batch(w->fd, first ? NULL : &position, &position, b.keys,
					    b.values, &b.n, NULL);
		if (code == -ENOSPC) { /* one bucket has more entries, and nothing was read */
			err = batch_grow(&b, w, b.max * 2);
			continue;
		}
		err = code && code != -ENOENT ? code : hand_over(&b, w);
		first = false;
	}
	free(b.keys);
	free(b.values);
	return err;
}
