/* SPDX-License-Identifier: Apache-2.0 */
/* What probes cost the target, computed from counted calls. */
#include "collect/probe/probe_overhead.h"
#include "collect/probe/probe_site.h"

#include <unistd.h>

#include "collect/probe/probe_cost.h"
#include "unit.h"

#define SECOND 1000000000ull

static struct probe_overhead overhead(u64 allocs, u64 cpu_ns)
{
	/* A call costs 300 + 90 and 340 + 60 ns (probe_overhead.c), so a pair costs 800 ns with 10
	 * ns of sampling. */
	return probe_overhead_of(&(struct probed_calls){.begins = allocs,
							.ends = allocs,
							.begin_ns = 300,
							.end_ns = 340,
							.sampled_ns = allocs * 10,
							.elapsed_ns = SECOND,
							.cpu_ns = cpu_ns});
}

TEST(probe_overhead, half_of_the_time_is_a_slowdown_of_one)
{
	struct probe_overhead p = overhead(625000, SECOND);

	CHECK(p.slowdown > 0.99 && p.slowdown < 1.01);
	CHECK(!p.at_least);
	/* Without probes it would call twice as often. */
	CHECK(p.calls_per_second > 1.24e6 && p.calls_per_second < 1.26e6);
}

TEST(probe_overhead, threads_pay_side_by_side)
{
	CHECK(overhead(625000, 4 * SECOND).slowdown < overhead(625000, SECOND).slowdown / 5);
}

TEST(probe_overhead, who_mostly_waits_pays_from_the_rest)
{
	struct probe_overhead p = overhead(1250, SECOND / 1000);

	CHECK(p.slowdown > 0.0009 && p.slowdown < 0.0011);
}

TEST(probe_overhead, a_queue_for_a_cpu_is_no_rest)
{
	struct probed_calls calls = {.begins = 250000,
				     .ends = 250000,
				     .begin_ns = 310,
				     .end_ns = 340,
				     .elapsed_ns = SECOND,
				     .cpu_ns = SECOND * 2 / 5};
	struct probe_overhead idle = probe_overhead_of(&calls), queued;

	/* The probes take 0.2 s, either of a second or of the 0.4 s in which it could run. */
	calls.queued_ns = SECOND * 3 / 5;
	queued = probe_overhead_of(&calls);
	CHECK(idle.slowdown > 0.24 && idle.slowdown < 0.26);
	CHECK(queued.slowdown > 0.99 && queued.slowdown < 1.01);
	/* Many threads are in the queue at once. */
	calls.queued_ns = 5 * SECOND;
	CHECK(probe_overhead_of(&calls).slowdown > 0.99);
}

TEST(probe_overhead, beyond_what_can_be_told_it_says_at_least)
{
	CHECK(overhead(2000000, SECOND).at_least);
	CHECK(overhead(2000000, SECOND).slowdown > 10);
}

TEST(probe_overhead, nothing_seen_costs_nothing)
{
	struct probed_calls none = {0};

	CHECK(probe_overhead_of(&none).slowdown == 0);
	CHECK(overhead(0, SECOND).slowdown == 0);
}

TEST(probe_overhead, time_of_processes_that_ended_is_not_negative)
{
	struct probed_calls now = {.begins = 5, .elapsed_ns = 9, .cpu_ns = 3};
	const struct probed_calls before = {.begins = 2, .elapsed_ns = 4, .cpu_ns = 8};

	probed_calls_since(&now, &before);
	CHECK_INT(now.begins, 3);
	CHECK_INT(now.elapsed_ns, 5);
	CHECK_INT(now.cpu_ns, 0);
}

TEST(probe_overhead, a_probe_that_cannot_be_attached_has_no_price)
{
	struct probe_costs costs = {.emulated_ns = 7};

	CHECK(probe_cost_measure(-1, 0, false, &costs) < 0);
	CHECK_INT(costs.emulated_ns, 7);
}

/*
 * Single-stepping took 11.5 us where the constant was measured, and takes a quarter of that on
 * other machines.
 */
TEST(probe_overhead, single_steps_cost_what_they_cost_here)
{
	const struct probe_costs here = {.emulated_ns = 2 * 590, .stepped_ns = 3000}, none = {0};
	u32 emulated = probe_cost_ns(PROBE_COST_EMULATED, PROBE_ENTRY);
	u32 stepped = probe_cost_ns(PROBE_COST_STEPPED, PROBE_ENTRY);
	u32 returning = probe_cost_ns(PROBE_COST_STEPPED, PROBE_RETURN);

	CHECK_INT(probe_cost_here(&here, emulated), 1180);
	CHECK_INT(probe_cost_here(&here, stepped), 3000);
	CHECK_INT(probe_cost_here(&here, returning), 3000 + 2 * probe_return_ns());
	CHECK_INT(probe_cost_here(&none, stepped), stepped);
}

static u64 stepped_calls;

static void count_thousand(void *arg, struct probed_calls *now)
{
	now->begins = 1000;
	now->begin_ns = probe_cost_ns(PROBE_COST_EMULATED, PROBE_ENTRY);
	now->stepped = stepped_calls;
	now->elapsed_ns = SECOND;
}

static double slowdown_with(u64 stepped)
{
	const struct target nobody = {0};
	const struct collect_options opt = {.target = &nobody};
	const struct overhead_watch w = {
		.opt = &opt,
		.count = count_thousand,
		.costs = {.emulated_ns = 500, .stepped_ns = 10500},
	};

	stepped_calls = stepped;
	return overhead_watch_now(&w).slowdown;
}

/*
 * That sem_post() would be single-stepped says nothing of a program which calls only
 * pthread_mutex_lock().
 */
TEST(probe_overhead, single_steps_are_paid_by_the_calls_that_pass_them)
{
	double more = slowdown_with(100) - slowdown_with(0);

	CHECK(more > 0.00099 && more < 0.00101);
}

static u32 asked;

static void count_nothing(void *arg, struct probed_calls *now)
{
	asked++;
}

/* Returns how often a trial of a recording of so many milliseconds checks the clock. */
static u32 looks(u64 duration_ms)
{
	struct target target = {.title = (char *)"nobody"};
	const struct collect_options opt = {.target = &target,
					    .duration_ns = duration_ms * 1000000};
	struct overhead_watch w = {.opt = &opt, .calls = "calls/s", .count = count_nothing};
	struct error err;

	asked = 0;
	CHECK(!overhead_watch_trial(&w, &err));
	return asked;
}

TEST(probe_overhead, a_trial_is_no_longer_than_the_recording)
{
	CHECK(looks(10) <= 5);
	CHECK(looks(0) > 20);
}
