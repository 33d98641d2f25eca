/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing profiles, and which changes are noise. */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/read.h"
#include "format_fixture.h"
#include "view/compare.h"

static struct profile *folded(const char *text)
{
	struct profile *p;

	CHECK_INT(folded_read((struct bytes){(const u8 *)text, strlen(text)}, NULL, &p, NULL), 0);
	return p;
}

struct compared {
	struct profile *a, *b;
	struct compare *c;
};

static struct compared compare_text(const char *base, const char *now, bool normalize)
{
	struct compared x = {folded(base), folded(now), NULL};
	const struct compare_options o = {.scale = normalize ? COMPARE_TOTALS : COMPARE_PER_SECOND};

	CHECK_INT(compare_new(x.a, x.b, &o, &x.c, NULL), 0);
	return x;
}

static void compared_release(struct compared *x)
{
	compare_free(x->c);
	profile_free(x->a);
	profile_free(x->b);
}

static const struct compare_row *row(const struct compare *c, const char *name)
{
	vec_for_each(&c->rows, r) {
		if (!strcmp(r->name, name))
			return r;
	}
	unit_fail(__FILE__, __LINE__, "no row %s", name);
}

TEST(compare, probabilities_are_those_of_the_binomial)
{
	/* The two-sided probability for p = 1/2 is 2 * (1 + 10) / 1024. */
	CHECK(fabs(compare_probability(1, 9, 0.5) - 22.0 / 1024) < 1e-9);
	CHECK(fabs(compare_probability(5, 5, 0.5) - 1) < 1e-9);
	CHECK(fabs(compare_probability(0, 4, 0.25) - 0.578125) < 1e-6);
	CHECK(compare_probability(0, 0, 0.5) == 1);
	CHECK(compare_probability(100000, 110000, 0.5) < 1e-9);
	CHECK(compare_probability(100000, 100100, 0.5) > 0.5);
	/* Both agree where the approximation takes over. */
	CHECK(fabs(compare_probability(4900, 5100, 0.5) - compare_probability(4901, 5101, 0.5)) <
	      0.01);
}

TEST(compare, growth_is_told_from_noise)
{
	struct compared x = compare_text("m;a 100\nm;b 100\n", "m;a 200\nm;b 105\n", false);

	CHECK(!row(x.c, "a")->noise);
	CHECK(row(x.c, "b")->noise);
	CHECK_STR(x.c->rows.data[0].name, "a");
	CHECK_INT(row(x.c, "a")->base, 100);
	CHECK_INT(row(x.c, "a")->now, 200);
	compared_release(&x);
}

TEST(compare, normalized_lengths_do_not_matter)
{
	struct compared x = compare_text("m;a 100\nm;b 300\n", "m;a 1000\nm;b 3000\n", true);

	CHECK_INT(row(x.c, "a")->base, 1000);
	CHECK(row(x.c, "a")->noise && row(x.c, "b")->noise);
	compared_release(&x);
}

/* 4 s and 1 s of the same load, and twice the load in the same time. */
static struct compared compare_durations(enum compare_scale scale, const char *type)
{
	struct compared x = {folded("m;a 400\nm;b 1200\n"), folded("m;a 100\nm;b 600\n"), NULL};
	const struct compare_options o = {.scale = scale};

	x.a->duration_nanos = 4000000000;
	x.b->duration_nanos = 1000000000;
	x.a->sample_types.data[0].type = (string_id)profile_string(x.a, type);
	x.b->sample_types.data[0].type = (string_id)profile_string(x.b, type);
	CHECK_INT(compare_new(x.a, x.b, &o, &x.c, NULL), 0);
	return x;
}

TEST(compare, durations_that_differ)
{
	struct compared x = compare_durations(COMPARE_PER_SECOND, "samples");

	CHECK_INT(x.c->scaled_by, COMPARE_PER_SECOND);
	CHECK(x.c->scale == 0.25);
	CHECK_INT(row(x.c, "a")->base, 100);
	CHECK(row(x.c, "a")->noise);
	CHECK_INT(row(x.c, "b")->base, 300);
	CHECK(!row(x.c, "b")->noise);
	CHECK_INT(x.c->base_total, 400);
	compared_release(&x);
	x = compare_durations(COMPARE_RAW, "samples");
	CHECK_INT(row(x.c, "a")->base, 400);
	CHECK_INT(x.c->scaled_by, COMPARE_RAW);
	compared_release(&x);
}

TEST(compare, what_is_there_at_the_end_has_no_duration)
{
	static const char *const levels[] = {"inuse_space", "inuse_objects", "peak_space", "space",
					     "goroutine"};

	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		struct compared x = compare_durations(COMPARE_PER_SECOND, levels[i]);

		CHECK_INT(row(x.c, "a")->base, 400);
		CHECK_INT(x.c->scaled_by, COMPARE_RAW);
		compared_release(&x);
	}
	CHECK(!compare_is_level("alloc_space") && !compare_is_level("delay"));
}

TEST(compare, nearly_equal_or_unknown_durations)
{
	struct profile *a = folded("m;a 100\n"), *b = folded("m;a 100\n");
	const struct compare_options o = {0};
	struct compare *c;

	a->duration_nanos = 10000000000;
	b->duration_nanos = 10050000000;
	CHECK_INT(compare_new(a, b, &o, &c, NULL), 0);
	CHECK(c->scale == 1);
	compare_free(c);
	b->duration_nanos = 0;
	CHECK_INT(compare_new(a, b, &o, &c, NULL), 0);
	CHECK(c->scale == 1);
	compare_free(c);
	profile_free(a);
	profile_free(b);
}

TEST(compare, false_alarms_are_as_rare_as_promised)
{
	/* Of equal Poisson pairs about one in a hundred is called a change. */
	u64 random = 12345;
	int alarms = 0;

	for (int i = 0; i < 2000; i++) {
		u64 n[2] = {0};

		for (int k = 0; k < 2000; k++) {
			random = random * 6364136223846793005ull + 1442695040888963407ull;
			n[0] += (random >> 33) % 40 == 0;
			n[1] += (random >> 40) % 40 == 1;
		}
		alarms += compare_probability(n[0], n[1], 0.5) < COMPARE_ALPHA;
	}
	CHECK(alarms < 40);
}

TEST(compare, new_and_gone)
{
	struct compared x = compare_text("old 50\n", "fresh 60\n", false);

	CHECK_INT(row(x.c, "old")->now, 0);
	CHECK_INT(row(x.c, "fresh")->base, 0);
	CHECK(!row(x.c, "old")->noise);
	compared_release(&x);
}

TEST(compare, equal_names_of_two_modules_are_two)
{
	struct compared x = compare_text("f 10\nf_[k] 20\n", "f 11\nf_[k] 21\n", false);

	CHECK_INT(x.c->rows.len, 2);
	compared_release(&x);
}

TEST(compare, kinds_do_not_mix)
{
	struct profile *a = folded("f 1\n"), *b;
	const struct compare_options o = {0};
	struct error err = {0};
	struct compare *c;

	CHECK_INT(profile_new(&b), 0);
	CHECK_INT(profile_add_sample_type(b, "inuse_space", "bytes"), 0);
	CHECK(compare_new(a, b, &o, &c, &err) < 0);
	CHECK(strstr(err.text, "different kinds"));
	profile_free(a);
	profile_free(b);
}

/* Builds one function that holds `objects` of 16 bytes, as a memory profile at that rate reports
 * it. */
static struct profile *memory_of(s64 objects, s64 rate)
{
	const s64 values[] = {objects, objects * 16};
	const struct profile_mapping mapping = {.limit = 4096};
	struct profile_line line = {0};
	struct profile *p;
	u32 location;

	CHECK_INT(profile_new(&p), 0);
	CHECK_INT(profile_add_sample_type(p, "inuse_objects", "count"), 0);
	CHECK_INT(profile_add_sample_type(p, "inuse_space", "bytes"), 0);
	CHECK_INT(profile_set_period(p, "space", "bytes", rate), 0);
	location = (u32)profile_location(p, (u32)profile_add_mapping(p, &mapping), 16);
	line.function = (u32)profile_function(p, "keep", "keep", "", 0);
	CHECK_INT(profile_location_set_lines(p, location, &line, 1), 0);
	CHECK_INT(profile_add_sample(p, &location, 1, values, NULL, 0), 0);
	return p;
}

static const struct compare_row *compare_memory(struct compared *x, s64 rate, const char *type)
{
	const struct compare_options o = {.sample_type = type};

	*x = (struct compared){memory_of(32768, rate), memory_of(3 * 32768, rate), NULL};
	CHECK_INT(compare_new(x->a, x->b, &o, &x->c, NULL), 0);
	return row(x->c, "keep");
}

TEST(compare, objects_of_sampled_memory_are_not_samples)
{
	static const char *const types[] = {"inuse_space", "inuse_objects"};
	const struct compare_row *r;
	struct compared x;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		/* One sample represents half a megabyte, so it is 1 against 3. */
		r = compare_memory(&x, 512 << 10, types[i]);
		CHECK_INT(r->base_count, 1);
		CHECK_INT(r->now_count, 3);
		CHECK(r->known_noise && r->noise);
		compared_release(&x);
		/* Every block was counted. */
		r = compare_memory(&x, 1, types[i]);
		CHECK_INT(r->now_count, 3 * 32768);
		CHECK(r->known_noise && !r->noise);
		compared_release(&x);
	}
}
