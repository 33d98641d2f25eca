/* SPDX-License-Identifier: Apache-2.0 */
/* Knows the code of allocation functions and samplers: see heap_ranges.h. */
#include "collect/heap/heap_ranges.h"

#include <stdlib.h>
#include <string.h>

#include "target/module.h"

static int compare_modules(const void *a, const void *b)
{
	const struct alloc_code *x = a, *y = b;

	return (x->module > y->module) - (x->module < y->module);
}

static const struct alloc_code *code_of(const struct heap_ranges *r, u64 frame)
{
	const struct alloc_code key = {.module = FRAME_MODULE(frame)};

	if (!r->files.len)
		return NULL;
	return bsearch(&key, r->files.data, r->files.len, sizeof(key), compare_modules);
}

enum frame_place { ELSEWHERE, IN_SAMPLER, IN_FUNCTION };

static enum frame_place place_of(const struct heap_ranges *r, u64 frame)
{
	const struct alloc_code *code = code_of(r, frame);
	u64 off = FRAME_OFF(frame);

	if (!code)
		return ELSEWHERE;
	if (code->sampler)
		return IN_SAMPLER;
	vec_for_each(&code->ranges, range) {
		if (off >= range->start && off < range->end)
			return IN_FUNCTION;
	}
	return ELSEWHERE;
}

u32 heap_ranges_skip(const struct heap_ranges *r, const u64 *frames, u32 nframes)
{
	enum frame_place place = ELSEWHERE;
	u32 n = 0;

	while (n < nframes && (place = place_of(r, frames[n])) == IN_SAMPLER)
		n++;
	return place == IN_FUNCTION ? nframes : n;
}

/* Its number belongs to another file once no sample needs it. */
static bool is_needed(struct module_set *modules, const struct alloc_code *code)
{
	const struct module *m = module_set_get(modules, code->module);

	return m && m->inode == code->key.inode && m->dev_major == code->key.dev_major &&
	       m->dev_minor == code->key.dev_minor;
}

/* Keeps one entry for each module. */
static void drop_old(struct heap_ranges *r, struct module_set *modules)
{
	size_t left = 0;

	qsort(r->files.data, r->files.len, sizeof(*r->files.data), compare_modules);
	vec_for_each(&r->files, code) {
		if ((left && r->files.data[left - 1].module == code->module) ||
		    !is_needed(modules, code))
			vec_release(&code->ranges);
		else
			r->files.data[left++] = *code;
	}
	r->files.len = left;
}

int heap_ranges_find(struct heap_ranges *r, struct module_set *modules,
		     struct alloc_probes *functions)
{
	int err = alloc_probes_take_code(functions, &r->files);

	if (r->files.len)
		drop_old(r, modules);
	return err;
}

void heap_ranges_release(struct heap_ranges *r)
{
	alloc_codes_release(&r->files);
}
