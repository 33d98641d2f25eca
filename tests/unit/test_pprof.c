/* SPDX-License-Identifier: Apache-2.0 */
/* pprof files are written, unzipped, unpacked again by protobuf-c, and compared. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#include "format_fixture.h"
#include "profile.pb-c.h"

typedef Perftools__Profiles__Profile pb_profile;

static pb_profile *read_back(const struct memory *m)
{
	size_t cap = 64u << 20;
	u8 *raw = malloc(cap);
	z_stream z = {.next_in = m->data, .avail_in = (uInt)m->len, .next_out = raw};
	pb_profile *p;

	z.avail_out = (uInt)cap;
	CHECK_INT(m->data[0], 0x1f);
	CHECK_INT(m->data[1], 0x8b);
	CHECK_INT(inflateInit2(&z, 15 + 16), Z_OK);
	CHECK_INT(inflate(&z, Z_FINISH), Z_STREAM_END);
	CHECK_INT(z.avail_in, 0);
	p = perftools__profiles__profile__unpack(NULL, z.total_out, raw);
	CHECK(p != NULL);
	inflateEnd(&z);
	free(raw);
	return p;
}

static pb_profile *round_trip(const struct profile *p)
{
	struct memory m = {0};
	const struct sink to = memory_sink(&m);
	pb_profile *back;

	CHECK_INT(format_pprof.write(p, NULL, &to, NULL), 0);
	back = read_back(&m);
	vec_release(&m);
	return back;
}

#define TEXT(p, id) ((p)->string_table[id])

TEST(pprof, file_says_what_the_profile_says)
{
	struct profile *p = fixture_profile();
	pb_profile *b = round_trip(p);

	CHECK_STR(b->string_table[0], "");
	CHECK_INT(b->n_string_table, p->strings.len);
	CHECK_INT(b->n_sample_type, 2);
	CHECK_STR(TEXT(b, b->sample_type[0]->type), "samples");
	CHECK_STR(TEXT(b, b->sample_type[0]->unit), "count");
	CHECK_STR(TEXT(b, b->sample_type[1]->type), "cpu");
	CHECK_STR(TEXT(b, b->sample_type[1]->unit), "nanoseconds");
	CHECK_STR(TEXT(b, b->period_type->type), "cpu");
	CHECK_INT(b->period, 10000000);
	CHECK_INT(b->time_nanos, 1700000000000000000);
	CHECK_INT(b->duration_nanos, 5000000000);
	CHECK_INT(b->n_comment, 1);
	CHECK_STR(TEXT(b, b->comment[0]), "cprof cpu: demo (PID 7)");
	CHECK_INT(b->default_sample_type, 0);
	perftools__profiles__profile__free_unpacked(b, NULL);
	profile_free(p);
}

TEST(pprof, ids_count_from_one_in_table_order)
{
	struct profile *p = fixture_profile();
	pb_profile *b = round_trip(p);

	CHECK_INT(b->n_mapping, p->mappings.len);
	for (size_t i = 0; i < b->n_mapping; i++)
		CHECK_INT(b->mapping[i]->id, i + 1);
	CHECK_INT(b->n_location, p->locations.len);
	for (size_t i = 0; i < b->n_location; i++) {
		CHECK_INT(b->location[i]->id, i + 1);
		CHECK(b->location[i]->mapping_id >= 1 &&
		      b->location[i]->mapping_id <= b->n_mapping);
	}
	CHECK_INT(b->n_function, p->functions.len);
	for (size_t i = 0; i < b->n_function; i++)
		CHECK_INT(b->function[i]->id, i + 1);
	CHECK_STR(TEXT(b, b->mapping[0]->filename), "/usr/bin/demo");
	CHECK_STR(TEXT(b, b->mapping[0]->build_id), "0123abcd");
	perftools__profiles__profile__free_unpacked(b, NULL);
	profile_free(p);
}

TEST(pprof, inlined_frames_are_lines_of_one_location)
{
	struct profile *p = fixture_profile();
	pb_profile *b = round_trip(p);
	const Perftools__Profiles__Location *l = b->location[FIXTURE_INLINED];

	CHECK_INT(l->n_line, 2);
	CHECK_STR(TEXT(b, b->function[l->line[0]->function_id - 1]->name), "inlined<int>(int)");
	CHECK_STR(TEXT(b, b->function[l->line[1]->function_id - 1]->name), "work");
	CHECK_INT(l->line[0]->line, 12);
	CHECK_INT(l->line[1]->line, 34);
	perftools__profiles__profile__free_unpacked(b, NULL);
	profile_free(p);
}

TEST(pprof, has_functions_needs_every_location_named)
{
	struct profile *p = fixture_profile();
	pb_profile *b = round_trip(p);

	CHECK(b->mapping[0]->has_functions);
	CHECK(!b->mapping[FIXTURE_LIBRARY]
		       ->has_functions); /* claimed, but one location has no line */
	perftools__profiles__profile__free_unpacked(b, NULL);
	profile_free(p);
}

TEST(pprof, labels_are_text_or_numbers)
{
	struct profile *p = fixture_profile();
	pb_profile *b = round_trip(p);
	size_t texts = 0, numbers = 0;

	for (size_t i = 0; i < b->n_sample; i++) {
		CHECK_INT(b->sample[i]->n_value, 2);
		for (size_t k = 0; k < b->sample[i]->n_label; k++) {
			const Perftools__Profiles__Label *l = b->sample[i]->label[k];

			CHECK(l->key != 0);
			texts += l->str && !l->num;
			numbers += !l->str && l->num == 7;
		}
	}
	CHECK_INT(texts, 2);
	CHECK_INT(numbers, 1);
	perftools__profiles__profile__free_unpacked(b, NULL);
	profile_free(p);
}

TEST(pprof, empty_profile_is_a_valid_file)
{
	struct profile *p;
	pb_profile *b;

	CHECK_INT(profile_new(&p), 0);
	CHECK_INT(profile_add_sample_type(p, "samples", "count"), 0);
	b = round_trip(p);
	CHECK_INT(b->n_sample, 0);
	CHECK_STR(b->string_table[0], "");
	perftools__profiles__profile__free_unpacked(b, NULL);
	profile_free(p);
}

TEST(pprof, full_sink_is_reported)
{
	struct profile *p = fixture_profile();
	const struct sink full = {.write = full_sink_write};

	CHECK_INT(format_pprof.write(p, NULL, &full, NULL), -ENOSPC);
	profile_free(p);
}

/* There are more items than fit into one batch, and each must be in its place. */
TEST(pprof, large_profile_round_trips)
{
	struct profile *p = large_profile(8000, 20000);
	struct timespec from, to;
	pb_profile *b = round_trip(p);
	struct memory m = {0};
	const struct sink sink = memory_sink(&m);

	CHECK_INT(b->n_location, 8000);
	CHECK_INT(b->n_sample, p->samples.len);
	for (size_t i = 0; i < b->n_location; i++)
		CHECK_INT(b->location[i]->address, p->locations.data[i].address);
	for (size_t i = 0; i < b->n_sample; i++)
		CHECK_INT(b->sample[i]->value[0], p->values.data[p->samples.data[i].first_value]);
	for (size_t i = 0; i < b->n_string_table; i++)
		CHECK_STR(b->string_table[i], p->strings.data[i]);
	perftools__profiles__profile__free_unpacked(b, NULL);
	clock_gettime(CLOCK_MONOTONIC, &from);
	CHECK_INT(format_pprof.write(p, NULL, &sink, NULL), 0);
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("# %zu bytes in %.1f ms\n", m.len,
	       (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6);
	vec_release(&m);
	profile_free(p);
}
