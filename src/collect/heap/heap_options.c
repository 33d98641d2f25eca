/* SPDX-License-Identifier: Apache-2.0 */
/* Options of heap and allocs: see heap_options.h. */
#include "collect/heap/heap_options.h"

#include "target/allocator.h"

const struct heap_options heap_defaults = {
	.rate = 512 << 10, /* the same as Go's runtime.MemProfileRate */
	.max_live = 1000000,
};

int heap_set_names(void *options, const char *value, struct error *err)
{
	struct heap_options *o = options;
	struct alloc_names names = {0};
	int code = alloc_names_parse(value, &names, err);

	alloc_names_release(&names);
	o->names = value;
	return code;
}

bool heap_sampler_rate(const void *options, u64 *rate)
{
	const struct heap_options *o = options;

	*rate = o->rate;
	return !o->no_preload && !o->names && !o->library;
}
