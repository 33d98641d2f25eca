/* SPDX-License-Identifier: Apache-2.0 */
/* Knows the code of allocation functions and samplers: see heap_ranges.h. */
#include "collect/heap/heap_ranges.h"

static const struct code_range *range_of(const struct heap_ranges *r, u64 frame)
{
	u64 off = FRAME_OFF(frame);

	vec_for_each(&r->items, range) {
		if (range->module == FRAME_MODULE(frame) && off >= range->start && off < range->end)
			return range;
	}
	return NULL;
}

u32 heap_ranges_skip(const struct heap_ranges *r, const u64 *frames, u32 nframes)
{
	const struct code_range *range = NULL;
	u32 n = 0;

	while (n < nframes && (range = range_of(r, frames[n])) && range->sampler)
		n++;
	return range && !range->sampler ? nframes : n;
}

struct finding {
	struct heap_ranges found;
	const struct bpf_session *session;
	int err;
};

static void add_file(void *arg, const struct probed_file *base)
{
	const struct probe_file *f = (const struct probe_file *)base;
	const struct map_entry e = {.inode = base->key.inode,
				    .dev_major = base->key.dev_major,
				    .dev_minor = base->key.dev_minor};
	struct finding *in = arg;
	u32 module = bpf_session_module(in->session, &e);

	if (module == MODULE_NONE || in->err)
		return;
	if (base->exclusive)
		in->err = vec_push(&in->found.items, (struct code_range){module, 0, ~0ull, true});
	vec_for_each(&f->ranges, range) {
		if (!in->err)
			in->err = vec_push(
				&in->found.items,
				(struct code_range){module, range->start, range->end, false});
	}
}

int heap_ranges_find(struct heap_ranges *r, const struct bpf_session *session,
		     const struct probe_set *functions)
{
	struct finding in = {.session = session};

	probe_set_lock(functions);
	probe_set_visit(functions, add_file, &in);
	probe_set_unlock(functions);
	if (!in.err) {
		struct heap_ranges swap = *r;

		*r = in.found;
		in.found = swap;
	}
	heap_ranges_release(&in.found);
	return in.err;
}

void heap_ranges_release(struct heap_ranges *r)
{
	vec_release(&r->items);
}
