/* SPDX-License-Identifier: Apache-2.0 */
/* Measures the cost of a probe on this machine: see probe_cost.h. */
#include "collect/probe/probe_cost.h"

#include <errno.h>
#include <unistd.h>

#include "arch/probe_trial.h"
#include "base/clock.h"
#include "collect/probe/uprobe.h"
#include "target/maps.h"

/* The fastest round counts, because anything else that ran does not belong to the probe. */
#define ROUNDS 5

struct trial {
	void (*function)(void);
	int calls;
};

static u64 best_round(const struct trial *t)
{
	u64 best = UINT64_MAX;

	for (int round = 0; round < ROUNDS; round++) {
		u64 begin = monotonic_ns(), took;

		for (int i = 0; i < t->calls; i++)
			t->function();
		took = monotonic_ns() - begin;
		best = took < best ? took : best;
	}
	return best;
}

static int own_offset(const struct trial *t, u64 *offset)
{
	u64 address = (u64)(uintptr_t)t->function;
	map_vec maps = {0};
	int err = maps_read(getpid(), &maps);

	if (!err)
		err = -ENOENT;
	vec_for_each(&maps, e) {
		if (address < e->start || address >= e->end)
			continue;
		*offset = address - e->start + e->offset;
		err = 0;
	}
	maps_release(&maps);
	return err;
}

static int measure(const struct trial *t, int prog_fd, u64 cookie, bool links, u32 *ns)
{
	struct uprobe_place place = {.cookie = cookie};
	uprobe_fds fds = {0};
	u64 without, with;
	int err = own_offset(t, &place.offset);

	if (err)
		return err;
	without = best_round(t);
	err = uprobe_attach(prog_fd, UPROBE_ENTRY, links, "/proc/self/exe", getpid(), &place, 1,
			    &fds);
	with = err ? 0 : best_round(t);
	uprobe_detach(&fds);
	if (!err)
		*ns = with > without ? (u32)((with - without) / (u64)t->calls) : 0;
	return err;
}

int probe_cost_measure(int prog_fd, u64 cookie, bool links, struct probe_costs *costs)
{
	const struct trial emulated = {arch_trial_emulated, 500};
	const struct trial stepped = {arch_trial_stepped, 100};
	struct probe_costs found;
	int err = measure(&emulated, prog_fd, cookie, links, &found.emulated_ns);

	if (!err)
		err = measure(&stepped, prog_fd, cookie, links, &found.stepped_ns);
	if (!err)
		*costs = found;
	return err;
}
