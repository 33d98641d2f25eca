/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles in memory: which items are equal, which are distinct, and which are refused. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "format_fixture.h"
#include "short_memory.h"

static struct profile *one_type(void)
{
	struct profile *p;

	CHECK_INT(profile_new(&p), 0);
	CHECK_INT(profile_add_sample_type(p, "samples", "count"), 0);
	return p;
}

static u32 some_locations(struct profile *p, u32 n)
{
	s64 mapping = profile_add_mapping(p, &(struct profile_mapping){.limit = 1 << 20});

	for (u32 i = 0; i < n; i++)
		CHECK_INT(profile_location(p, (u32)mapping, i), i);
	return (u32)mapping;
}

TEST(profile, strings_are_interned_and_zero_is_empty)
{
	struct profile *p = one_type();
	s64 a = profile_string(p, "alpha");

	CHECK_INT(profile_string(p, ""), 0);
	CHECK_INT(profile_string(p, NULL), 0);
	CHECK_INT(profile_string(p, "alpha"), a);
	CHECK(profile_string(p, "beta") != a);
	CHECK_STR(profile_text(p, (string_id)a), "alpha");
	CHECK_STR(profile_text(p, 12345678), "");
	profile_free(p);
}

TEST(profile, bad_utf8_is_replaced)
{
	static const char *const cases[][2] = {
		{"plain", "plain"},
		{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
		{"a\xff"
		 "b",
		 "a\xef\xbf\xbd"
		 "b"},
		{"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"}, /* overlong */
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* surrogate */
		{"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"cut \xe2\x82", "cut \xef\xbf\xbd\xef\xbf\xbd"},
	};
	struct profile *p = one_type();

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		s64 id = profile_string(p, cases[i][0]);

		CHECK(id > 0);
		CHECK_STR(profile_text(p, (string_id)id), cases[i][1]);
		CHECK(utf8_valid(profile_text(p, (string_id)id)));
	}
	profile_free(p);
}

TEST(profile, a_location_is_one_per_mapping_and_address)
{
	struct profile *p = one_type();
	u32 a = some_locations(p, 3);
	s64 b = profile_add_mapping(p, &(struct profile_mapping){0});

	CHECK_INT(profile_location(p, a, 1), 1);
	CHECK_INT(profile_location(p, (u32)b, 1), 3);
	CHECK_INT(profile_location(p, 99, 1), -EINVAL);
	profile_free(p);
}

TEST(profile, functions_differ_by_every_field)
{
	struct profile *p = one_type();

	CHECK_INT(profile_function(p, "f", "_Zf", "a.c", 1), 0);
	CHECK_INT(profile_function(p, "f", "_Zf", "a.c", 1), 0);
	CHECK_INT(profile_function(p, "f", "_Zf", "a.c", 2), 1);
	CHECK_INT(profile_function(p, "f", "_Zf", "b.c", 1), 2);
	CHECK_INT(profile_function(p, "f", NULL, NULL, 1), 3);
	profile_free(p);
}

TEST(profile, lines_are_replaced)
{
	struct profile *p = one_type();
	struct profile_line lines[3] = {{0, 1}, {0, 2}, {0, 3}}, bad = {7, 1};

	some_locations(p, 2);
	CHECK_INT(profile_function(p, "f", "f", "", 0), 0);
	CHECK_INT(profile_location_set_lines(p, 0, lines, 1), 0);
	CHECK_INT(profile_location_set_lines(p, 1, lines, 2), 0);
	CHECK_INT(profile_location_set_lines(p, 0, lines, 3), 0);
	CHECK_INT(p->locations.data[0].nlines, 3);
	CHECK_INT(p->lines.data[p->locations.data[0].first_line + 2].line, 3);
	CHECK_INT(p->lines.data[p->locations.data[1].first_line].line, 1);
	CHECK_INT(profile_location_set_lines(p, 0, NULL, 0), 0);
	CHECK_INT(p->locations.data[0].nlines, 0);
	CHECK_INT(profile_location_set_lines(p, 0, &bad, 1), -EINVAL);
	CHECK_INT(profile_location_set_lines(p, 2, lines, 1), -EINVAL);
	profile_free(p);
}

TEST(profile, equal_stacks_are_summed)
{
	struct profile *p = one_type();
	const u32 stack[] = {0, 1, 1}, shorter[] = {0, 1};
	const s64 value = 5, none = 0;

	some_locations(p, 2);
	CHECK_INT(profile_add_sample(p, stack, 3, &value, NULL, 0), 0);
	CHECK_INT(profile_add_sample(p, stack, 3, &value, NULL, 0), 0);
	CHECK_INT(profile_add_sample(p, shorter, 2, &value, NULL, 0), 0);
	CHECK_INT(profile_add_sample(p, shorter, 1, &none, NULL, 0), 0);
	CHECK_INT(p->samples.len, 2);
	CHECK_INT(p->values.data[0], 10);
	CHECK_INT(p->values.data[1], 5);
	profile_free(p);
}

TEST(profile, labels_part_samples_in_any_order)
{
	struct profile *p = one_type();
	const struct profile_label a = {.key = (string_id)profile_string(p, "a"), .num = 1};
	const struct profile_label b = {.key = (string_id)profile_string(p, "b"), .num = 2};
	const u32 leaf = 0;
	const s64 value = 1;

	some_locations(p, 1);
	CHECK_INT(profile_add_sample(p, &leaf, 1, &value, (struct profile_label[]){a, b}, 2), 0);
	CHECK_INT(profile_add_sample(p, &leaf, 1, &value, (struct profile_label[]){b, a}, 2), 0);
	CHECK_INT(profile_add_sample(p, &leaf, 1, &value, &a, 1), 0);
	CHECK_INT(p->samples.len, 2);
	CHECK_INT(p->values.data[0], 2);
	profile_free(p);
}

TEST(profile, samples_in_a_row_share_their_stack)
{
	struct profile *p = one_type();
	struct profile_label label = {.key = (string_id)profile_string(p, "n")};
	const u32 stack[] = {0, 1, 2}, other[] = {1, 2};
	const s64 value = 1;

	some_locations(p, 3);
	for (label.num = 1; label.num <= 3; label.num++)
		CHECK_INT(profile_add_sample(p, stack, 3, &value, &label, 1), 0);
	CHECK_INT(profile_add_sample(p, other, 2, &value, &label, 1), 0);
	CHECK_INT(profile_add_sample(p, stack, 3, &value, &label, 1), 0);
	CHECK_INT(p->samples.len, 5);
	CHECK_INT(p->stack_locations.len, 3 + 2 + 3);
	CHECK_INT(p->samples.data[2].first_location, 0);
	CHECK_INT(p->samples.data[4].first_location, 5);
	profile_free(p);
}

/* Cuts all stacks to their root, so that only labels tell them apart. */
static void merge_cut_samples(struct profile *p, long allocations)
{
	vec_for_each(&p->samples, s) {
		s->first_location += s->nlocations - 1;
		s->nlocations = 1;
	}
	short_memory_after(allocations);
	profile_merge_samples(p);
	short_memory_after(-1);
}

static s64 sum_of(const struct profile *p)
{
	s64 sum = 0;

	vec_for_each(&p->samples, s)
		sum += p->values.data[s->first_value];
	return sum;
}

TEST(profile, samples_that_have_become_equal_are_merged_in_place)
{
	enum { STACKS = 1000 };

	for (int short_of_memory = 0; short_of_memory < 2; short_of_memory++) {
		struct profile *p = one_type();
		struct profile_label label = {.key = (string_id)profile_string(p, "n")};
		const s64 value = 3;

		some_locations(p, STACKS);
		for (u32 i = 1; i < STACKS; i++) {
			const u32 stack[] = {i, 0};

			label.num = i % 2;
			CHECK_INT(profile_add_sample(p, stack, 2, &value, &label, 1), 0);
		}
		p->values.data[4] = 0; /* such a sample is dropped */
		merge_cut_samples(p, short_of_memory ? 0 : -1);
		CHECK_INT(sum_of(p), (STACKS - 2) * 3);
		CHECK_INT(p->samples.len, short_of_memory ? STACKS - 2 : 2);
		CHECK_INT(p->values.len, p->samples.len);
		profile_free(p);
	}
}

TEST(profile, sums_stay_at_the_limit)
{
	struct profile *p = one_type();
	const s64 huge = INT64_MAX - 1, least = INT64_MIN;
	const u32 leaf = 0, other = 1;

	some_locations(p, 2);
	CHECK_INT(profile_add_sample(p, &leaf, 1, &huge, NULL, 0), 0);
	CHECK_INT(profile_add_sample(p, &leaf, 1, &huge, NULL, 0), 0);
	CHECK(p->values.data[0] == INT64_MAX);
	CHECK_INT(profile_add_sample(p, &other, 1, &least, NULL, 0), 0);
	CHECK_INT(profile_add_sample(p, &other, 1, &least, NULL, 0), 0);
	CHECK(p->values.data[1] == INT64_MIN);
	profile_free(p);
}

TEST(profile, what_does_not_exist_is_refused)
{
	struct profile *p = one_type();
	const struct profile_label keyless = {.num = 1}, stray = {.key = 1, .str = 4711};
	const u32 unknown = 7, leaf = 0;
	const s64 value = 1;

	some_locations(p, 1);
	CHECK_INT(profile_add_sample(p, &unknown, 1, &value, NULL, 0), -EINVAL);
	CHECK_INT(profile_add_sample(p, &leaf, 1, &value, &keyless, 1), -EINVAL);
	CHECK_INT(profile_add_sample(p, &leaf, 1, &value, &stray, 1), -EINVAL);
	CHECK_INT(p->samples.len, 0);
	CHECK_INT(profile_add_sample(p, &leaf, 1, &value, NULL, 0), 0);
	CHECK_INT(profile_add_sample_type(p, "late", "count"), -EBUSY);
	profile_free(p);
}

TEST(profile, sample_types_are_found)
{
	struct profile *p = fixture_profile();

	CHECK_INT(profile_find_sample_type(p, "samples"), 0);
	CHECK_INT(profile_find_sample_type(p, "cpu"), 1);
	CHECK_INT(profile_find_sample_type(p, "cpu/nanoseconds"), 1);
	CHECK_INT(profile_find_sample_type(p, "cpu/count"), -ENOENT);
	CHECK_INT(profile_find_sample_type(p, "cp"), -ENOENT);
	CHECK_INT(profile_find_sample_type(p, ""), -ENOENT);
	CHECK_INT(profile_find_sample_type(p, NULL), 1);
	p->default_sample_type = p->sample_types.data[0].type;
	CHECK_INT(profile_find_sample_type(p, NULL), 0);
	profile_free(p);
}

/* A hundred thousand stacks occur ten times each, in any order, and each becomes one sample. */
TEST(profile, many_stacks)
{
	enum { STACKS = 100000, ROUNDS = 10, DEPTH = 20, LOCATIONS = 5000 };
	struct profile *p = one_type();
	u32 stack[DEPTH];
	const s64 value = 1;

	some_locations(p, LOCATIONS);
	for (u32 round = 0; round < ROUNDS; round++) {
		for (u32 i = 0; i < STACKS; i++) {
			u64 random = (u64)i * 0x9e3779b97f4a7c15ull + 1;

			for (u32 k = 0; k < DEPTH; k++) {
				random = random * 6364136223846793005ull + 1442695040888963407ull;
				stack[k] = (u32)(random >> 33) % LOCATIONS;
			}
			CHECK_INT(profile_add_sample(p, stack, DEPTH, &value, NULL, 0), 0);
		}
	}
	CHECK_INT(p->samples.len, STACKS);
	vec_for_each(&p->values, v)
		CHECK_INT(*v, ROUNDS);
	profile_free(p);
}
