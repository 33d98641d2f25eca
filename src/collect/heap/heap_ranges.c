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

static int add_file(struct heap_ranges *r, const struct bpf_session *session,
		    const struct probe_file *f)
{
	const struct map_entry e = {
		.inode = f->inode, .dev_major = f->dev_major, .dev_minor = f->dev_minor};
	u32 module = bpf_session_module(session, &e);
	int err = 0;

	if (module == MODULE_NONE)
		return 0;
	if (f->sampler)
		return vec_push(&r->items, (struct code_range){module, 0, ~0ull, true});
	vec_for_each(&f->ranges, range) {
		if (!err)
			err = vec_push(&r->items, (struct code_range){module, range->start,
								      range->end, false});
	}
	return err;
}

int heap_ranges_find(struct heap_ranges *r, const struct bpf_session *session,
		     const struct alloc_probes *functions)
{
	struct heap_ranges found = {.items = {0}}, *old = &found;
	const struct probe_file *f;
	int err = 0;

	for (size_t i = 0; !err && (f = alloc_probes_file(functions, i)); i++)
		err = add_file(&found, session, f);
	if (!err) {
		struct heap_ranges swap = *r;

		*r = found;
		*old = swap;
	}
	heap_ranges_release(old);
	return err;
}

void heap_ranges_release(struct heap_ranges *r)
{
	vec_release(&r->items);
}
