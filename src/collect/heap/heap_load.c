/* SPDX-License-Identifier: Apache-2.0 */
/* Sets up programs and maps: see heap_load.h. */
#include "collect/heap/heap_load.h"

#include <math.h>

#define MANY_SAMPLES_RATE 4096
#define RING_OF_MANY (8u << 20) /* threads that only allocate may bring 60,000 stacks a second */

static void fill_config(struct heap_bpf *skel, const struct heap_load *l)
{
	struct heap_config *config = &skel->rodata->heap;
	const u32 n = 1u << HEAP_LOG_BITS;

	config->rate = l->own->rate;
	config->live = l->follow;
	config->sampler = l->sampler;
	config->sessions = l->way == UPROBE_WAY_SESSION;
	for (u32 i = 0; i <= n; i++)
		config->log2_table[i] =
			(u32)lround(log2(1.0 + (double)i / n) * (1u << HEAP_LOG_ONE));
}

/* Programs are loaded for the way in which they will be attached. */
static void choose_programs(struct heap_bpf *skel, const struct heap_load *l)
{
	struct bpf_program *const entered[] = {skel->progs.on_alloc,   skel->progs.on_return,
					       skel->progs.on_result,  skel->progs.on_free,
					       skel->progs.on_weighed, skel->progs.on_notice};
	bool session = l->way == UPROBE_WAY_SESSION;

	bpf_program__set_autoload(skel->progs.on_session, session);
	bpf_program__set_autoload(skel->progs.on_return, !session);
	bpf_program__set_autoload(skel->progs.list_returns, session);
	bpf_program__set_expected_attach_type(skel->progs.on_session,
					      (enum bpf_attach_type)UPROBE_ATTACH_SESSION);
	for (size_t i = 0; i < ARRAY_LEN(entered) && l->way != UPROBE_WAY_PERF; i++)
		bpf_program__set_expected_attach_type(entered[i],
						      (enum bpf_attach_type)UPROBE_ATTACH_MULTI);
}

/* The target, and not a clock, decides how many samples there are. Every size at a site is a
 * separate key, and at low rates each call may add a new one. */
static int size_maps(struct heap_bpf *skel, const struct heap_load *l)
{
	const bool many = l->own->rate < MANY_SAMPLES_RATE;
	int err = bpf_map__set_max_entries(skel->maps.live, l->follow ? l->own->max_live : 1);

	if (!err && !l->follow)
		err = bpf_map__set_max_entries(skel->maps.holders, 1);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.counts_a, many ? 65536 : 16384);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.counts_b, many ? 65536 : 16384);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.records, many ? RING_OF_MANY : l->ring);
	return err;
}

int heap_load_choose(struct heap_bpf *skel, const struct heap_load *l)
{
	fill_config(skel, l);
	choose_programs(skel, l);
	return size_maps(skel, l);
}
