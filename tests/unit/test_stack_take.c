/* SPDX-License-Identifier: Apache-2.0 */
/* Tests profiles that are made while counting continues: all takes together report what was
 * counted. */
#include <string.h>

#include "collect/session/stack_store.h"
#include "unit.h"

#define STACKS 400
#define ROUNDS 50

struct takes {
	struct stack_store *store;
	struct module_set *modules;
	struct target target;
	struct collect_options opt;
	struct sample_mapping mapping;
	s64 sum[2], last[2]; /* of the values in all takes, and in the last one */
	size_t samples; /* in the last one */
};

static void setup(struct takes *t, const struct stack_kind *kind)
{
	memset(t, 0, sizeof(*t));
	t->opt.target = &t->target;
	CHECK_INT(stack_store_new(&t->opt, kind, &t->store), 0);
	CHECK_INT(module_set_new(NULL, NULL, &t->modules), 0);
}

static void teardown(struct takes *t)
{
	stack_store_free(t->store);
	module_set_free(t->modules);
}

static struct sample_key key_of(u64 stack, u16 cause)
{
	return (struct sample_key){.stack = stack, .cause = cause};
}

static void put(struct takes *t, u64 stack)
{
	const struct sample_key key = key_of(stack, 0);
	const struct thread_id owner = {.tgid = {1}};
	const u64 frames[2] = {FRAME(MODULE_KERNEL, 0xffff81000000 + stack),
			       FRAME(MODULE_KERNEL, 0xffff82000000)};

	stack_store_put(t->store, &key, &owner, frames, 2);
}

static void add(struct takes *t, u64 stack, u16 cause, enum tally_part part, u64 samples,
		u64 weight)
{
	const struct sample_key key = key_of(stack, cause);
	const struct sample_count n = {samples, weight};

	CHECK_INT(stack_store_add(t->store, &key, part, &n), 0);
}

static struct profile *new_profile(void)
{
	struct profile *p;

	CHECK_INT(profile_new(&p), 0);
	CHECK_INT(profile_add_sample_type(p, "samples", "count"), 0);
	CHECK_INT(profile_add_sample_type(p, "time", "nanoseconds"), 0);
	return p;
}

static void sum_values(const struct profile *p, s64 sum[2])
{
	sum[0] = sum[1] = 0;
	for (size_t i = 0; i < p->values.len; i++) {
		CHECK(p->values.data[i] >= 0);
		sum[i % 2] += p->values.data[i];
	}
}

/* Call it after stack_store_begin_reading(). */
static void take(struct takes *t)
{
	struct profile *p = new_profile();

	CHECK_INT(stack_store_take(t->store, t->modules, &t->opt,
				   t->mapping.values ? &t->mapping : NULL, p),
		  0);
	sum_values(p, t->last);
	t->samples = p->samples.len;
	t->sum[0] += t->last[0];
	t->sum[1] += t->last[1];
	profile_free(p);
}

static void take_counts(struct takes *t)
{
	CHECK_INT(stack_store_begin_reading(t->store), 0);
	take(t);
}

static void whole(struct takes *t, s64 sum[2])
{
	struct profile *p = new_profile();

	CHECK_INT(stack_store_to_profile(t->store, t->modules, &t->opt, NULL, p), 0);
	sum_values(p, sum);
	profile_free(p);
}

TEST(stack_take, takes_add_up_whatever_is_merged_meanwhile)
{
	u64 samples = 0, weight = 0;
	struct takes t;
	s64 all[2];

	setup(&t, NULL);
	for (u32 round = 0; round < ROUNDS; round++) {
		for (u64 stack = 1; stack <= STACKS; stack += 1 + round % 7) {
			put(&t, stack);
			add(&t, stack, 0, TALLY_COUNT, 1 + stack % 3, stack * round);
			samples += 1 + stack % 3;
			weight += stack * round;
		}
		take_counts(&t);
		CHECK_INT(t.sum[0], samples);
		CHECK_INT(t.sum[1], weight);
		if (round % 10 == 5)
			stack_store_halve(t.store);
	}
	take_counts(&t);
	CHECK_INT(t.samples, 0); /* nothing came */
	whole(&t, all);
	CHECK_INT(all[0], samples);
	CHECK_INT(all[1], weight);
	teardown(&t);
}

TEST(stack_take, what_goes_on_counts_once_whatever_it_becomes)
{
	struct takes t;
	s64 all[2];

	setup(&t, NULL);
	put(&t, 7);
	put(&t, 8);
	CHECK_INT(stack_store_begin_reading(t.store), 0);
	add(&t, 7, 1, TALLY_ONGOING, 1, 100);
	whole(&t, all);
	CHECK_INT(all[1], 100);
	take(&t);
	CHECK_INT(t.last[0], 1);
	CHECK_INT(t.last[1], 100);
	CHECK_INT(stack_store_begin_reading(t.store), 0);
	add(&t, 7, 1, TALLY_ONGOING, 1, 250);
	add(&t, 8, 1, TALLY_COUNT, 1, 11);
	take(&t);
	CHECK_INT(t.last[0], 1); /* it is the other one */
	CHECK_INT(t.last[1], 150 + 11);
	/* The wait ends, and counts under another cause. */
	add(&t, 7, 2, TALLY_COUNT, 1, 300);
	take_counts(&t);
	CHECK_INT(t.last[0], 0);
	CHECK_INT(t.last[1], 50);
	add(&t, 7, 2, TALLY_COUNT, 1, 30);
	take_counts(&t);
	CHECK_INT(t.last[0], 1);
	CHECK_INT(t.last[1], 30);
	whole(&t, all);
	CHECK_INT(all[0], t.sum[0]);
	CHECK_INT(all[1], t.sum[1]);
	teardown(&t);
}

TEST(stack_take, what_ends_between_two_reads_is_not_told_again)
{
	struct takes t;

	setup(&t, NULL);
	put(&t, 7);
	CHECK_INT(stack_store_begin_reading(t.store), 0);
	add(&t, 7, 1, TALLY_ONGOING, 1, 100);
	take(&t);
	take_counts(&t); /* the wait is over, and its count is on its way */
	CHECK_INT(t.samples, 0);
	add(&t, 7, 1, TALLY_COUNT, 1, 120);
	take_counts(&t);
	CHECK_INT(t.last[0], 0);
	CHECK_INT(t.last[1], 20);
	teardown(&t);
}

/* Each take has everything that came meanwhile, even where it has no tick. */
TEST(stack_take, shares_of_a_total_add_up)
{
	const u64 totals[] = {1000, 1700, 2400, 2900};
	struct takes t;
	s64 all[2];

	setup(&t, NULL);
	put(&t, 7);
	put(&t, 8);
	for (u32 i = 0; i < ARRAY_LEN(totals); i++) {
		if (i != 1) {
			add(&t, 7, 0, TALLY_COUNT, 1, 10);
			add(&t, 8, 0, TALLY_COUNT, 1, 10 * i);
		}
		stack_store_scale(t.store, 0, totals[i]);
		take_counts(&t);
		CHECK(t.sum[1] <= (s64)totals[i]);
		CHECK(i == 1 ? !t.last[1] : t.sum[1] >= (s64)totals[i] - 2); /* rounded down */
	}
	whole(&t, all);
	CHECK(all[1] >= (s64)totals[3] - 2 && all[1] <= (s64)totals[3]);
	teardown(&t);
}

static void state_values(void *arg, const struct sample_key *key, const struct sample_tally *tally,
			 s64 values[SAMPLE_VALUES_MAX])
{
	values[0] = (s64)tally->count.samples;
	values[1] = (s64)tally->live.samples;
}

TEST(stack_take, what_is_alive_is_a_state)
{
	const struct stack_kind kind = {.live = true};
	struct takes t;

	setup(&t, &kind);
	t.mapping = (struct sample_mapping){.values = state_values, .nflows = 1};
	put(&t, 7);
	add(&t, 7, 0, TALLY_COUNT, 5, 0);
	add(&t, 7, 0, TALLY_LIVE, 2, 0);
	take_counts(&t);
	CHECK_INT(t.last[0], 5);
	CHECK_INT(t.last[1], 2);
	take_counts(&t);
	CHECK_INT(t.last[0], 0);
	CHECK_INT(t.last[1], 2);
	stack_store_forget_live(t.store);
	take_counts(&t);
	CHECK_INT(t.samples, 0);
	teardown(&t);
}
