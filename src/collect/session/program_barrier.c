/* SPDX-License-Identifier: Apache-2.0 */
/* Waits for the end of running BPF programs: see program_barrier.h. */
#include "collect/session/program_barrier.h"

#include <bpf/bpf.h>
#include <unistd.h>

int program_barrier_init(struct program_barrier *b)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);

	*b = PROGRAM_BARRIER_NONE;
	b->inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "cprof_inner", sizeof(u32), sizeof(u32), 1,
				  NULL);
	if (b->inner < 0)
		return b->inner;
	opts.inner_map_fd = (u32)b->inner;
	b->outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "cprof_barrier", sizeof(u32),
				  sizeof(u32), 1, &opts);
	return b->outer < 0 ? b->outer : 0;
}

void program_barrier_release(struct program_barrier *b)
{
	if (b->outer >= 0)
		close(b->outer);
	if (b->inner >= 0)
		close(b->inner);
	*b = PROGRAM_BARRIER_NONE;
}

int program_barrier_wait(const struct program_barrier *b)
{
	u32 zero = 0;

	return bpf_map_update_elem(b->outer, &zero, &b->inner, BPF_ANY);
}
