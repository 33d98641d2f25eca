/* SPDX-License-Identifier: Apache-2.0 */
/* The maps in which programs count are changed, and emptied without loss, in whatever way. */
#include <bpf/bpf.h>
#include <unistd.h>

#include "collect/session/count_maps.h"
#include "cpu.skel.h"
#include "unit.h"

struct fixture {
	struct cpu_bpf *skel;
	struct count_maps maps;
	u64 samples, keys; /* taken in */
};

static void fixture_init(struct fixture *f)
{
	*f = (struct fixture){.skel = cpu_bpf__open()};
	CHECK(f->skel);
	if (cpu_bpf__load(f->skel))
		unit_skip("BPF programs cannot be loaded");
	CHECK_INT(count_maps_init(&f->maps, f->skel->obj, &f->skel->bss->control), 0);
}

static void fixture_release(struct fixture *f)
{
	count_maps_release(&f->maps);
	cpu_bpf__destroy(f->skel);
}

/* Counts as bpf/count.bpf.h does. */
static void count(struct fixture *f, u32 keys, u64 samples)
{
	struct sample_control *control = &f->skel->bss->control;
	const int fd = f->maps.fd[control->active_counts];

	for (u32 i = 0; i < keys; i++) {
		struct sample_key key = {.stack = i + 1};
		struct sample_count n = {.samples = samples};

		CHECK_INT(bpf_map_update_elem(fd, &key, &n, BPF_NOEXIST), 0);
		control->active_keys++;
	}
}

static void take(void *arg, const struct sample_key *keys, const struct sample_count *counts, u32 n)
{
	struct fixture *f = arg;

	f->keys += n;
	for (u32 i = 0; i < n; i++)
		f->samples += counts[i].samples;
}

TEST(count_maps, are_changed_while_others_wait)
{
	struct fixture f;
	u32 full;

	fixture_init(&f);
	count(&f, f.maps.max / 2 + 1, 3);
	CHECK(count_maps_half_full(&f.maps));
	CHECK(!count_maps_is_changing(&f.maps));
	count_maps_begin_change(&f.maps);
	CHECK(count_maps_is_changing(&f.maps));
	/* Programs count in the other one already. */
	CHECK(!count_maps_half_full(&f.maps));
	count(&f, 7, 100);
	while (!count_maps_has_changed(&f.maps))
		usleep(1000);
	CHECK_INT(count_maps_end_change(&f.maps, &full), 0);
	CHECK(!count_maps_is_changing(&f.maps));
	CHECK_INT(count_maps_empty(&f.maps, full, take, &f), 0);
	CHECK_INT(f.keys, f.maps.max / 2 + 1);
	CHECK_INT(f.samples, 3 * f.keys);
	/* The next change takes what was counted meanwhile, and no more. */
	f.keys = f.samples = 0;
	CHECK_INT(count_maps_change(&f.maps, &full), 0);
	CHECK_INT(count_maps_empty(&f.maps, full, take, &f), 0);
	CHECK_INT(f.keys, 7);
	CHECK_INT(f.samples, 700);
	count_maps_begin_change(&f.maps); /* a recording may end at any time */
	fixture_release(&f);
}
