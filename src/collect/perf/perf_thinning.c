/* SPDX-License-Identifier: Apache-2.0 */
/* Selects ticks at random: see perf_thinning.h. */
#include "collect/perf/perf_thinning.h"

#include "base/clock.h"

/* This is xorshift64, which is enough to stay independent of everything that the target does. */
static void next_pick(struct perf_thinning *t)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	t->pick = t->window + t->random % t->period;
}

void perf_thinning_init(struct perf_thinning *t, u32 frequency, u64 seed)
{
	*t = (struct perf_thinning){.period = NSEC_PER_SEC / frequency, .random = seed | 1};
	next_pick(t);
}

u64 perf_thinning_take(struct perf_thinning *t, u64 ns)
{
	u64 taken = 0;

	for (t->passed += ns; t->pick < t->passed; taken++) {
		t->window += t->period;
		next_pick(t);
	}
	return taken;
}
