/* SPDX-License-Identifier: Apache-2.0 */
/* Reading pprof files: our own, those of other writers, and hostile ones. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "format/read.h"
#include "format_fixture.h"

/* ---- messages by hand ---- */

static void put(struct memory *m, const void *data, size_t len)
{
	const struct sink to = memory_sink(m);

	CHECK_INT(to.write(to.arg, data, len), 0);
}

static void put_varint(struct memory *m, u64 v)
{
	do {
		u8 byte = (v & 0x7f) | (v > 0x7f ? 0x80 : 0);

		put(m, &byte, 1);
		v >>= 7;
	} while (v);
}

static void put_number(struct memory *m, u32 field, u64 v)
{
	put_varint(m, field << 3);
	put_varint(m, v);
}

static void put_bytes(struct memory *m, u32 field, const void *data, size_t len)
{
	put_varint(m, field << 3 | 2);
	put_varint(m, len);
	put(m, data, len);
}

static void put_string(struct memory *m, const char *text)
{
	put_bytes(m, 6, text, strlen(text));
}

/* Writes `inner` as a message of `outer`. */
static void put_message(struct memory *outer, u32 field, struct memory *inner)
{
	put_bytes(outer, field, inner->data, inner->len);
	vec_release(inner);
}

static void put_type(struct memory *m, u32 field, u64 type, u64 unit)
{
	struct memory vt = {0};

	put_number(&vt, 1, type);
	put_number(&vt, 2, unit);
	put_message(m, field, &vt);
}

static void put_location(struct memory *m, u64 id, u64 mapping, u64 function)
{
	struct memory l = {0}, line = {0};

	put_number(&l, 1, id);
	if (mapping)
		put_number(&l, 2, mapping);
	put_number(&line, 1, function);
	put_number(&line, 2, 42);
	put_message(&l, 4, &line);
	put_message(m, 4, &l);
}

static void put_function(struct memory *m, u64 id, u64 name)
{
	struct memory f = {0};

	put_number(&f, 1, id);
	put_number(&f, 2, name);
	put_message(m, 5, &f);
}

static void put_sample(struct memory *m, u64 location, u64 value)
{
	struct memory s = {0};

	put_number(&s, 1, location);
	put_number(&s, 2, value);
	put_message(m, 2, &s);
}

/* Has samples/count, the function "f" with id `function` at location `location`, and one sample of
 * 3. */
static struct memory small_file(u64 location, u64 function)
{
	struct memory m = {0};

	put_type(&m, 1, 1, 2);
	put_sample(&m, location, 3);
	put_location(&m, location, 0, function);
	put_function(&m, function, 3);
	put_string(&m, "");
	put_string(&m, "samples");
	put_string(&m, "count");
	put_string(&m, "f");
	return m;
}

static struct profile *read_ok(struct memory *m)
{
	struct error err = {0};
	struct profile *p = NULL;
	int ret = format_read_bytes((struct bytes){m->data, m->len}, NULL, &p, &err);

	if (ret)
		unit_fail(__FILE__, __LINE__, "not read: %s", err.text);
	vec_release(m);
	return p;
}

static void read_fails(struct memory *m, const char *why)
{
	struct error err = {0};
	struct profile *p;

	CHECK(format_read_bytes((struct bytes){m->data, m->len}, NULL, &p, &err) < 0);
	if (!strstr(err.text, why))
		unit_fail(__FILE__, __LINE__, "\"%s\" lacks \"%s\"", err.text, why);
	vec_release(m);
}

/* ---- what is read ---- */

TEST(pprof_read, own_files_come_back_the_same)
{
	struct profile *p = fixture_profile(), *q;
	struct memory m = {0};
	const struct sink to = memory_sink(&m);
	char *before, *after;

	CHECK_INT(format_pprof.write(p, NULL, &to, NULL), 0);
	q = read_ok(&m);
	CHECK_INT(q->samples.len, p->samples.len);
	CHECK_INT(q->mappings.len, p->mappings.len);
	CHECK_INT(q->locations.len, p->locations.len);
	CHECK_INT(q->time_nanos, p->time_nanos);
	CHECK_INT(q->duration_nanos, p->duration_nanos);
	CHECK_INT(q->period, p->period);
	CHECK_INT(q->mappings.data[2].kind, PROFILE_MAPPING_KERNEL);
	CHECK_STR(profile_text(q, q->mappings.data[0].build_id), "0123abcd");
	before = written(p, &format_folded, &(struct format_options){.root_label = "thread"});
	after = written(q, &format_folded, &(struct format_options){.root_label = "thread"});
	CHECK_STR(after, before);
	free(before);
	free(after);
	before = written(p, &format_text, NULL);
	after = written(q, &format_text, NULL);
	CHECK_STR(after, before);
	free(before);
	free(after);
	profile_free(p);
	profile_free(q);
}

TEST(pprof_read, ids_may_be_any_numbers)
{
	struct memory m = small_file(0xffffffffffffffffull, 1ull << 40);
	struct profile *p = read_ok(&m);
	char *text = written(p, &format_folded, NULL);

	CHECK_STR(text, "f 3\n");
	free(text);
	profile_free(p);
}

TEST(pprof_read, location_without_mapping_is_somewhere)
{
	struct memory m = small_file(1, 1);
	struct profile *p = read_ok(&m);

	CHECK_INT(p->mappings.len, 1);
	CHECK_INT(p->lines.data[0].line, 42);
	profile_free(p);
}

TEST(pprof_read, unknown_fields_are_skipped)
{
	struct memory m = small_file(1, 1);

	put_number(&m, 99, 7);
	put_bytes(&m, 100, "what is this", 12);
	profile_free(read_ok(&m));
}

/* ---- what is refused ---- */

TEST(pprof_read, string_out_of_range)
{
	struct memory m = small_file(1, 1);

	put_number(&m, 14, 4);
	read_fails(&m, "string 4 of 4");
}

TEST(pprof_read, location_out_of_range)
{
	struct memory m = small_file(1, 1);

	put_sample(&m, 2, 1);
	read_fails(&m, "location 2");
}

TEST(pprof_read, function_out_of_range)
{
	struct memory m = small_file(1, 1);

	put_location(&m, 2, 0, 9);
	read_fails(&m, "function 9");
}

TEST(pprof_read, mapping_out_of_range)
{
	struct memory m = small_file(1, 1);

	put_location(&m, 2, 5, 1);
	read_fails(&m, "mapping 5");
}

TEST(pprof_read, ids_are_unique)
{
	struct memory m = small_file(1, 1);

	put_function(&m, 1, 3);
	read_fails(&m, "two functions have the id 1");
	m = small_file(1ull << 50, 1);
	put_location(&m, 1ull << 50, 0, 1);
	read_fails(&m, "two locations have the id");
}

TEST(pprof_read, id_0_is_refused)
{
	struct memory m = small_file(1, 1);

	put_function(&m, 0, 3);
	read_fails(&m, "id 0");
}

TEST(pprof_read, values_are_as_many_as_types)
{
	struct memory m = small_file(1, 1), s = {0};

	put_number(&s, 1, 1);
	put_number(&s, 2, 1);
	put_number(&s, 2, 1);
	put_message(&m, 2, &s);
	read_fails(&m, "more values");
	m = small_file(1, 1);
	put_number(&s, 1, 1);
	put_message(&m, 2, &s);
	read_fails(&m, "0 values for 1");
}

TEST(pprof_read, first_string_is_empty)
{
	struct memory m = {0};

	put_type(&m, 1, 0, 0);
	put_string(&m, "x");
	read_fails(&m, "first string");
}

TEST(pprof_read, concatenated_profiles_are_refused)
{
	struct memory m = small_file(1, 1);

	put_number(&m, 9, 1);
	put_number(&m, 9, 2);
	read_fails(&m, "several profiles");
}

TEST(pprof_read, huge_string_is_refused)
{
	struct memory m = small_file(1, 1);
	char *text = malloc(2u << 20);

	CHECK(text);
	memset(text, 'x', 2u << 20);
	put_bytes(&m, 6, text, 2u << 20);
	free(text);
	read_fails(&m, "a string has more than");
}

/* Has `lines` lines at location 2, and `samples` samples of `depth` times that location. */
static struct memory multiplied(u32 lines, u32 depth, u32 samples)
{
	struct memory m = small_file(1, 1), l = {0}, s = {0};

	put_number(&l, 1, 2);
	for (u32 i = 0; i < lines; i++) {
		struct memory line = {0};

		put_number(&line, 1, 1);
		put_message(&l, 4, &line);
	}
	put_message(&m, 4, &l);
	for (u32 i = 0; i < depth; i++)
		put_number(&s, 1, 2);
	put_number(&s, 2, 1);
	for (u32 i = 0; i < samples; i++)
		put_bytes(&m, 2, s.data, s.len);
	vec_release(&s);
	return m;
}

TEST(pprof_read, multiplied_inlining_is_refused)
{
	struct memory fits = multiplied(1024, 1024, 1), deep = multiplied(1024, 1025, 1),
		      many = multiplied(1024, 1024, 256);

	profile_free(read_ok(&fits));
	read_fails(&deep, "a stack has more than 1048576 frames");
	read_fails(&many, "more samples than a profile would");
}

TEST(pprof_read, every_cut_is_an_error_or_a_profile)
{
	struct memory m = small_file(1, 1);

	for (size_t len = 0; len < m.len; len++) {
		struct error err = {0};
		struct profile *p;
		u8 *copy = malloc(len + 1);

		CHECK(copy);
		memcpy(copy, m.data, len);
		if (!pprof_read((struct bytes){copy, len}, NULL, &p, &err))
			profile_free(p);
		else
			CHECK(err.text[0]);
		free(copy);
	}
	vec_release(&m);
}

/* ---- gzip ---- */

static struct memory deflated(const void *data, size_t len, size_t times)
{
	struct memory m = {0};
	z_stream z = {0};
	u8 out[65536];
	int ret;

	CHECK_INT(deflateInit2(&z, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY), Z_OK);
	for (size_t i = 0; i <= times; i++) {
		z.next_in = (u8 *)data;
		z.avail_in = i < times ? (uInt)len : 0;
		do {
			z.next_out = out;
			z.avail_out = sizeof(out);
			ret = deflate(&z, i < times ? Z_NO_FLUSH : Z_FINISH);
			put(&m, out, sizeof(out) - z.avail_out);
		} while (!z.avail_out || (i == times && ret != Z_STREAM_END));
	}
	deflateEnd(&z);
	return m;
}

TEST(pprof_read, gzip_of_several_members_is_one)
{
	struct memory plain = small_file(1, 1), a, b;

	a = deflated(plain.data, 5, 1);
	b = deflated(plain.data + 5, plain.len - 5, 1);
	put(&a, b.data, b.len);
	vec_release(&b);
	vec_release(&plain);
	profile_free(read_ok(&a));
}

TEST(pprof_read, cut_gzip_is_an_error)
{
	struct memory plain = small_file(1, 1), m = deflated(plain.data, plain.len, 1);

	m.len -= 12;
	vec_release(&plain);
	read_fails(&m, "ends too early");
}

TEST(pprof_read, gzip_bomb_is_refused)
{
	static const char zeros[1 << 20];
	struct memory m = deflated(zeros, sizeof(zeros), 300);

	CHECK(m.len < 400000);
	read_fails(&m, "inflates to more");
}

TEST(pprof_read, neither_form_is_an_error)
{
	struct memory m = {0};

	put(&m,
	    "\x7f"
	    "ELF\x02\x01\x01\0\0\0\0\0",
	    12);
	read_fails(&m, "");
	read_fails(&m, "empty");
}
