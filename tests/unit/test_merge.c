/* SPDX-License-Identifier: Apache-2.0 */
/* Merging profiles. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "format_fixture.h"
#include "profile/merge.h"

TEST(merge, twice_the_same_is_double)
{
	struct profile *a = fixture_profile(), *b = fixture_profile(), *m;
	const struct profile *list[] = {a, b};

	/* It is loaded elsewhere but is still the same code. */
	b->mappings.data[0].start += 0x1000;
	b->mappings.data[0].limit += 0x1000;
	for (u32 i = 0; i < b->locations.len; i++) {
		if (!b->locations.data[i].mapping)
			b->locations.data[i].address += 0x1000;
	}
	CHECK_INT(profile_merge(list, 2, &m, NULL), 0);
	CHECK_INT(m->samples.len, a->samples.len);
	CHECK_INT(m->locations.len, a->locations.len);
	CHECK_INT(m->mappings.len, a->mappings.len);
	CHECK_INT(m->comments.len, 1);
	for (size_t i = 0; i < m->values.len; i++)
		CHECK_INT(m->values.data[i], 2 * a->values.data[i]);
	CHECK_INT(m->duration_nanos, 2 * a->duration_nanos);
	CHECK_INT(m->time_nanos, a->time_nanos);
	CHECK_INT(m->period, a->period);
	profile_free(a);
	profile_free(b);
	profile_free(m);
}

TEST(merge, other_build_is_other_code)
{
	struct profile *a = fixture_profile(), *b = fixture_profile(), *m;
	const struct profile *list[] = {a, b};

	b->mappings.data[0].build_id = (string_id)profile_string(b, "ffff");
	CHECK_INT(profile_merge(list, 2, &m, NULL), 0);
	CHECK_INT(m->mappings.len, a->mappings.len + 1);
	CHECK_INT(m->samples.len, 2 * a->samples.len);
	profile_free(a);
	profile_free(b);
	profile_free(m);
}

TEST(merge, one_is_a_copy)
{
	struct profile *a = fixture_profile(), *m;
	const struct profile *list[] = {a};
	char *before, *after;

	CHECK_INT(profile_merge(list, 1, &m, NULL), 0);
	before = written(a, &format_text, NULL);
	after = written(m, &format_text, NULL);
	CHECK_STR(after, before);
	free(before);
	free(after);
	profile_free(a);
	profile_free(m);
}

TEST(merge, kinds_do_not_mix)
{
	struct profile *a = fixture_profile(), *b, *m;
	const struct profile *list[2] = {a};
	struct error err = {0};

	CHECK_INT(profile_new(&b), 0);
	CHECK_INT(profile_add_sample_type(b, "inuse_space", "bytes"), 0);
	list[1] = b;
	CHECK(profile_merge(list, 2, &m, &err) < 0);
	CHECK(strstr(err.text, "different kinds"));
	profile_free(a);
	profile_free(b);
}

/* If each were compared with all before it, this would take half a minute. */
TEST(merge, as_many_mappings_as_a_file_may_have)
{
	enum { MAPPINGS = 200000 };
	struct profile *p = fixture_profile(), *m;
	const struct profile *list[] = {p};
	const u32 first = (u32)p->mappings.len;
	s64 values[16] = {1, 1};
	struct timespec cpu;

	CHECK(p->sample_types.len <= ARRAY_LEN(values));
	for (u32 i = 0; i < MAPPINGS; i++) {
		const struct profile_mapping mapping = {.limit = 4096, .offset = 4096ull * i};
		u32 location;

		CHECK_INT(profile_add_mapping(p, &mapping), first + i);
		location = (u32)profile_location(p, first + i, 1);
		CHECK_INT(profile_add_sample(p, &location, 1, values, NULL, 0), 0);
	}
	CHECK_INT(profile_merge(list, 1, &m, NULL), 0);
	CHECK_INT(m->mappings.len, p->mappings.len);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	CHECK(cpu.tv_sec < 10);
	profile_free(p);
	profile_free(m);
}
