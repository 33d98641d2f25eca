/* SPDX-License-Identifier: Apache-2.0 */
/* Tests what a heap profile makes of sampled blocks: its types, values and labels. */
#include "collect/heap/heap_samples.h"

#include <math.h>
#include <string.h>

#include "collect/heap/heap_amount.h"
#include "unit.h"

#define RATE (512u << 10)

static struct heap_samples *samples_new(u64 rate)
{
	struct heap_samples *r;

	CHECK_INT(heap_samples_new(rate, 1, NULL, &r), 0);
	return r;
}

static struct sample_key drawn(u64 size)
{
	return (struct sample_key){.stack = 5, .object = size, .cause = HEAP_DRAWN};
}

static void values_of(struct heap_samples *r, const struct sample_key *key,
		      const struct sample_tally *tally, s64 values[SAMPLE_VALUES_MAX])
{
	const struct sample_mapping m = heap_mapping(r);

	CHECK_INT(m.nflows, 2);
	m.values(m.arg, key, tally, values);
}

static u32 labels_of(struct heap_samples *r, const struct sample_key *key,
		     struct sample_label labels[SAMPLE_LABELS_MAX])
{
	const struct sample_mapping m = heap_mapping(r);
	const struct thread_id owner = {.tgid = {1}};

	return m.labels(m.arg, key, &owner, labels);
}

TEST(heap_samples, every_block_at_rate_1)
{
	struct heap_samples *r = samples_new(1);
	const struct sample_key key = drawn(24);
	const struct sample_tally tally = {.count = {1000, 0}, .live = {300, 0}, .peak = {400, 0}};
	s64 v[SAMPLE_VALUES_MAX];

	values_of(r, &key, &tally, v);
	CHECK_INT(v[0], 1000);
	CHECK_INT(v[1], 24000);
	CHECK_INT(v[2], 300);
	CHECK_INT(v[3], 7200);
	CHECK_INT(v[4], 400);
	CHECK_INT(v[5], 9600);
	CHECK(heap_samples_ended(r) == 700);
	heap_samples_free(r);
}

/* Samples represent as many blocks as their size says, rounded up or down. */
TEST(heap_samples, sampled_blocks_are_scaled)
{
	struct heap_samples *r = samples_new(RATE);
	const struct sample_key key = drawn(1000);
	const struct sample_tally tally = {.count = {40, 0}, .live = {10, 0}};
	struct heap_amount all = heap_amount_scale(RATE, 1000, 40);
	struct heap_amount alive = heap_amount_scale(RATE, 1000, 10);
	s64 v[SAMPLE_VALUES_MAX];

	values_of(r, &key, &tally, v);
	CHECK(v[0] == (s64)all.blocks || v[0] == (s64)all.blocks + 1);
	CHECK_INT(v[1], llround(all.bytes));
	CHECK(v[1] > 39 * RATE && v[1] < 41 * RATE);
	CHECK(v[2] == (s64)alive.blocks || v[2] == (s64)alive.blocks + 1);
	CHECK_INT(v[3], llround(alive.bytes));
	CHECK_INT(v[4], 0);
	CHECK_INT(v[5], 0);
	CHECK(fabs(heap_samples_ended(r) - (all.blocks - alive.blocks)) < 1e-6);
	heap_samples_free(r);
}

/* The target's own sampler says how many bytes its samples represent. */
TEST(heap_samples, weighed_blocks_are_taken_as_they_are)
{
	struct heap_samples *r = samples_new(RATE);
	const struct sample_key key = {.stack = 5, .object = 4096, .cause = HEAP_WEIGHED};
	const struct sample_tally tally = {.count = {3, 3 * 4096 * 100}};
	s64 v[SAMPLE_VALUES_MAX];

	values_of(r, &key, &tally, v);
	CHECK_INT(v[0], 300);
	CHECK_INT(v[1], 3 * 4096 * 100);
	heap_samples_free(r);
}

TEST(heap_samples, the_size_is_a_label_unless_sizes_were_merged)
{
	struct heap_samples *r = samples_new(RATE);
	struct sample_label labels[SAMPLE_LABELS_MAX];
	struct sample_key key = drawn(1000);
	struct sample_count n = {.samples = 40};
	struct heap_amount before = heap_amount_of(RATE, &key, &n);
	s64 v[SAMPLE_VALUES_MAX];

	CHECK_INT(labels_of(r, &key, labels), 1);
	CHECK_STR(labels[0].key, "bytes");
	CHECK_INT(labels[0].number, 1000);
	heap_amount_merge(RATE, &key, &n);
	CHECK_INT(labels_of(r, &key, labels), 0);
	values_of(r, &key, &(struct sample_tally){.count = n}, v);
	CHECK(llabs(v[0] - llround(before.blocks)) <= 1);
	CHECK(llabs(v[1] - llround(before.bytes)) <= 1);
	heap_samples_free(r);
}

static void check_types(const struct heap_options *opt, bool live, const char *chosen, u32 n)
{
	static const char *const names[] = {"alloc_objects", "alloc_space",  "inuse_objects",
					    "inuse_space",   "peak_objects", "peak_space"};
	struct profile *p;

	CHECK_INT(profile_new(&p), 0);
	CHECK_INT(heap_describe(opt, live, p), 0);
	CHECK_INT(p->sample_types.len, n);
	for (u32 i = 0; i < n; i++) {
		const struct profile_value_type *t = &p->sample_types.data[i];

		CHECK_STR(profile_text(p, t->type), names[i]);
		CHECK_STR(profile_text(p, t->unit), i % 2 ? "bytes" : "count");
	}
	CHECK_STR(profile_text(p, p->default_sample_type), chosen);
	CHECK_STR(profile_text(p, p->period_type.type), "space");
	CHECK_INT(p->period, opt->rate);
	profile_free(p);
}

TEST(heap_samples, types_are_those_of_go)
{
	check_types(&(struct heap_options){.rate = RATE}, true, "inuse_space", 4);
	check_types(&(struct heap_options){.rate = 1}, false, "alloc_space", 4);
	check_types(&(struct heap_options){.rate = RATE, .peak = true}, true, "inuse_space", 6);
}
