/* SPDX-License-Identifier: Apache-2.0 */
/* Files in the formats of gperftools, made by hand. */
#include <string.h>

#include "format/read.h"
#include "format_fixture.h"
#include "unit.h"

#define MAPS "00400000-00500000 r-xp 00001000 fe:01 7 /bin/prog\n"

static void put_words(struct memory *m, const u64 *words, size_t n)
{
	const struct sink to = memory_sink(m);

	CHECK_INT(to.write(to.arg, words, n * sizeof(*words)), 0);
}

static void put_text(struct memory *m, const char *text)
{
	const struct sink to = memory_sink(m);

	CHECK_INT(to.write(to.arg, text, strlen(text)), 0);
}

static int read_memory(const struct memory *m, struct profile **p, struct error *err)
{
	return format_read_bytes((struct bytes){(const u8 *)m->data, m->len}, NULL, p, err);
}

static struct profile *read_text(const char *text)
{
	struct profile *p;

	CHECK_INT(format_read_bytes((struct bytes){(const u8 *)text, strlen(text)}, NULL, &p, NULL),
		  0);
	return p;
}

static u64 address(const struct profile *p, size_t sample, u32 frame)
{
	const struct profile_sample *s = &p->samples.data[sample];

	CHECK(frame < s->nlocations);
	return p->locations.data[p->stack_locations.data[s->first_location + frame]].address;
}

static s64 value(const struct profile *p, size_t sample, u32 type)
{
	return p->values.data[p->samples.data[sample].first_value + type];
}

TEST(gperftools_read, cpu_counts_periods_and_calls)
{
	static const u64 words[] = {0, 3, 0,        10000,    0, /* microseconds */
				    5, 2, 0x400100, 0x400201, 2, 1, 0x400300, 0, 1, 0};
	struct memory m = {0};
	struct profile *p;

	put_words(&m, words, ARRAY_LEN(words));
	put_text(&m, MAPS);
	CHECK_INT(read_memory(&m, &p, NULL), 0);
	CHECK_INT(p->period, 10000000);
	CHECK_INT(p->samples.len, 2);
	CHECK_INT(value(p, 0, 0), 5);
	CHECK_INT(value(p, 0, 1), 50000000);
	CHECK_INT(address(p, 0, 0), 0x400100);
	CHECK_INT(address(p, 0, 1), 0x400200); /* of the call, and not after it */
	CHECK_STR(profile_text(p, p->mappings.data[0].path), "/bin/prog");
	CHECK_INT(p->mappings.data[0].offset, 0x1000);
	profile_free(p);
	vec_release(&m);
}

TEST(gperftools_read, frames_of_the_signal_handler_go)
{
	struct memory m = {0};
	struct profile *p;
	u64 words[5 + 40 * 5 + 3] = {0, 3, 0, 1000, 0};

	/* All but one have the same two frames after the leaf. */
	for (u64 i = 0; i < 40; i++) {
		u64 *s = words + 5 + i * 5;

		s[0] = 1;
		s[1] = 3;
		s[2] = 0x400100 + i;
		s[3] = i == 7 ? 0x400901 : 0x400801;
		s[4] = 0x400a01;
	}
	words[5 + 40 * 5 + 1] = 1;
	put_words(&m, words, ARRAY_LEN(words));
	put_text(&m, MAPS);
	CHECK_INT(read_memory(&m, &p, NULL), 0);
	CHECK_INT(p->samples.len, 40);
	for (size_t i = 0; i < 40; i++)
		CHECK_INT(p->samples.data[i].nlocations, i == 7 ? 3 : 1);
	profile_free(p);
	vec_release(&m);
}

TEST(gperftools_read, every_cut_is_an_error_or_a_profile)
{
	static const u64 words[] = {0,        3, 0, 10000,    0, 5, 2, 0x400100,
				    0x400201, 2, 1, 0x400300, 0, 1, 0};
	struct memory m = {0};
	struct profile *p;

	put_words(&m, words, ARRAY_LEN(words));
	put_text(&m, MAPS);
	for (size_t len = 0; len < m.len; len++) {
		if (!format_read_bytes((struct bytes){(const u8 *)m.data, len}, NULL, &p, NULL))
			profile_free(p);
	}
	vec_release(&m);
}

TEST(gperftools_read, stacks_longer_than_the_file)
{
	static const u64 words[] = {0, 3, 0, 10000, 0, 5, 1ull << 61, 0x400100};
	struct error err = {0};
	struct memory m = {0};
	struct profile *p;

	put_words(&m, words, ARRAY_LEN(words));
	CHECK_INT(read_memory(&m, &p, &err), -EBADMSG);
	CHECK(strstr(err.text, "gperftools"));
	vec_release(&m);
}

TEST(gperftools_read, heap_in_use)
{
	struct profile *p = read_text("heap profile: 3: 3000 [ 3: 3000] @ heapprofile\n"
				      "  2: 2000 [ 2: 2000] @ 0x400101 0x400201\n"
				      "  1: 1000 [ 1: 1000] @ 0x400301\n"
				      "\nMAPPED_LIBRARIES:\n" MAPS);

	CHECK_INT(p->sample_types.len, 2);
	CHECK_INT(profile_find_sample_type(p, "space"), 1);
	CHECK_INT(p->samples.len, 2);
	CHECK_INT(value(p, 0, 0), 2);
	CHECK_INT(value(p, 0, 1), 2000);
	CHECK_INT(address(p, 0, 0), 0x400100);
	profile_free(p);
}

TEST(gperftools_read, sampled_heap_is_scaled)
{
	/* A block as large as the mean distance is sampled with probability 1 - 1/e. */
	struct profile *p = read_text("heap profile: 1: 1024 [ 4: 4096] @ heap_v2/1024\n"
				      "  1: 1024 [ 4: 4096] @ 0x400101\n"
				      "MAPPED_LIBRARIES:\n" MAPS);

	CHECK_INT(p->sample_types.len, 4);
	CHECK_INT(value(p, 0, 0), 6);
	CHECK_INT(value(p, 0, 1), 6479);
	CHECK_INT(value(p, 0, 3), 1619);
	profile_free(p);
}

TEST(gperftools_read, damaged_heap_lines_are_named)
{
	static const char text[] = "heap profile: 1: 1 [ 1: 1] @ heapprofile\nnonsense\n";
	struct error err = {0};
	struct profile *p;

	CHECK_INT(format_read_bytes((struct bytes){(const u8 *)text, sizeof(text) - 1}, NULL, &p,
				    &err),
		  -EBADMSG);
	CHECK(strstr(err.text, "heap profile"));
}
