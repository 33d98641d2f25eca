/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that what programs have counted is read once, under the stacks that it belongs to. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>

#include "session_fixture.h"
#include "unit.h"

static const char *const types[] = {"samples", "time", NULL};

struct sums {
	s64 samples, weight;
	size_t stacks;
};

static struct sums read_range(struct session_fixture *f, enum collect_range range)
{
	struct profile *p = session_fixture_read(f, range, NULL, types);
	struct sums sums = {.stacks = p->samples.len};

	for (size_t i = 0; i < p->values.len; i += 2) {
		sums.samples += p->values.data[i];
		sums.weight += p->values.data[i + 1];
	}
	profile_free(p);
	return sums;
}

static void check_range(struct session_fixture *f, enum collect_range range, s64 samples,
			s64 weight, size_t stacks)
{
	struct sums have = read_range(f, range);

	CHECK_INT(have.samples, samples);
	CHECK_INT(have.weight, weight);
	CHECK_INT(have.stacks, stacks);
}

static u64 lost(struct session_fixture *f, const char *why)
{
	struct collect_stats stats;

	bpf_session_stats(f->session, &stats);
	for (u32 i = 0; i < stats.nlosses; i++) {
		if (!strcmp(stats.losses[i].why, why))
			return stats.losses[i].samples;
	}
	return 0;
}

TEST(bpf_session, counts_of_both_maps_are_read_once)
{
	struct session_fixture f;

	session_fixture_init(&f, NULL);
	for (u64 stack = 1; stack <= 3; stack++)
		session_fixture_put(&f, stack);
	session_fixture_count(&f, 1, 10, 1000);
	session_fixture_count(&f, 2, 20, 2000);
	check_range(&f, COLLECT_SINCE, 30, 3000, 2);
	check_range(&f, COLLECT_SINCE, 0, 0, 0);
	session_fixture_count(&f, 1, 1, 100);
	session_fixture_count(&f, 3, 5, 500);
	check_range(&f, COLLECT_SO_FAR, 36, 3600, 3);
	check_range(&f, COLLECT_SO_FAR, 36, 3600, 3);
	check_range(&f, COLLECT_SINCE, 6, 600, 2);
	session_fixture_count(&f, 2, 4, 400);
	bpf_session_drain(f.session);
	check_range(&f, COLLECT_SINCE, 4, 400, 1);
	check_range(&f, COLLECT_WHOLE, 40, 4000, 3);
	CHECK_INT(lost(&f, "ring buffer full"), 0);
	session_fixture_release(&f);
}

TEST(bpf_session, a_poll_empties_a_map_that_is_more_than_half_full)
{
	struct bpf_map_info info = {0};
	u32 size = sizeof(info), half;
	struct session_fixture f;

	session_fixture_init(&f, NULL);
	CHECK_INT(bpf_obj_get_info_by_fd(session_fixture_map(&f, "counts_a"), &info, &size), 0);
	half = info.max_entries / 2;
	for (u64 stack = 1; stack <= half + 1; stack++) {
		session_fixture_put(&f, stack);
		if (stack == half + 1) {
			CHECK_INT(bpf_session_poll(f.session, 0), 0);
			CHECK_INT(f.control->active_counts, 0);
		}
		session_fixture_count(&f, stack, 2, 20);
	}
	CHECK_INT(bpf_session_poll(f.session, 0), 0);
	CHECK_INT(f.control->active_counts, 1);
	CHECK_INT(f.control->active_keys, 0);
	bpf_session_drain(f.session);
	check_range(&f, COLLECT_WHOLE, 2 * (half + 1), 20 * (half + 1), half + 1);
	session_fixture_release(&f);
}

TEST(bpf_session, counts_without_a_stack_are_lost_and_said)
{
	struct session_fixture f;

	session_fixture_init(&f, NULL);
	session_fixture_put(&f, 1);
	session_fixture_count(&f, 1, 10, 1000);
	session_fixture_count(&f, 2, 7, 700);
	check_range(&f, COLLECT_SINCE, 10, 1000, 1);
	CHECK_INT(lost(&f, "ring buffer full"), 7);
	session_fixture_put(&f, 2); /* what comes later counts again */
	session_fixture_count(&f, 2, 3, 300);
	bpf_session_drain(f.session);
	check_range(&f, COLLECT_WHOLE, 13, 1300, 2);
	CHECK_INT(lost(&f, "ring buffer full"), 7);
	session_fixture_release(&f);
}

static void set_stat(struct session_fixture *f, u32 slot, u64 first)
{
	int cpus = libbpf_num_possible_cpus();
	u64 *values = calloc((size_t)cpus, sizeof(*values));

	for (int i = 0; i < cpus; i++)
		values[i] = first + (u64)i;
	CHECK_INT(bpf_map_update_elem(session_fixture_map(f, "stats"), &slot, values, BPF_ANY), 0);
	free(values);
}

static u64 sum_from(u64 first)
{
	u64 cpus = (u64)libbpf_num_possible_cpus();

	return cpus * first + cpus * (cpus - 1) / 2;
}

TEST(bpf_session, counters_are_summed_over_cpus)
{
	struct session_fixture f;
	struct collect_stats stats;

	session_fixture_init(&f, NULL);
	set_stat(&f, STAT_SAMPLES, 100);
	set_stat(&f, STAT_TICKS, 1000);
	set_stat(&f, STAT_LOST_TABLE, 5);
	set_stat(&f, STAT_ENDS_FIRST + STACK_NO_ROW, 40);
	set_stat(&f, STAT_ENDS_FIRST + STACK_WHOLE, 60);
	session_fixture_put(&f, 1); /* comes from user space, and is whole */
	bpf_session_stats(f.session, &stats);
	CHECK_INT(stats.samples, sum_from(100));
	CHECK_INT(stats.ticks, sum_from(1000));
	CHECK_INT(stats.ends[STACK_NO_ROW], sum_from(40));
	CHECK_INT(stats.ends[STACK_WHOLE], sum_from(60) + 1);
	CHECK_INT(stats.ends[STACK_TOO_DEEP], 0);
	CHECK_INT(stats.nlosses, 1);
	CHECK_INT(lost(&f, "count table full"), sum_from(5));
	CHECK_INT(bpf_session_stat(f.session, STAT_SAMPLES), sum_from(100));
	session_fixture_release(&f);
}

TEST(bpf_session, ends_with_the_last_target)
{
	struct session_fixture f;

	session_fixture_init(&f, NULL);
	f.control->live_targets = 2;
	CHECK_INT(bpf_session_poll(f.session, 0), 0);
	f.control->live_targets = 0;
	CHECK_INT(bpf_session_poll(f.session, 0), 1);
	f.target.scope = TARGET_ALL;
	CHECK_INT(bpf_session_poll(f.session, 0), 0);
	session_fixture_release(&f);
}
