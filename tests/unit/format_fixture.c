/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles and sinks for tests: see format_fixture.h. */
#include "format_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fixture.h"
#include "unit.h"

#define PERIOD 10000000

static int memory_write(void *arg, const void *data, size_t len)
{
	struct memory *m = arg;

	if (vec_reserve(m, m->len + len))
		return -ENOMEM;
	memcpy(m->data + m->len, data, len);
	m->len += len;
	return 0;
}

struct sink memory_sink(struct memory *m)
{
	return (struct sink){.write = memory_write, .arg = m};
}

int full_sink_write(void *arg, const void *data, size_t len)
{
	return -ENOSPC;
}

char *written(const struct profile *p, const struct format *f, const struct format_options *opt)
{
	struct memory m = {0};
	const struct sink to = memory_sink(&m);

	CHECK_INT(f->write(p, opt, &to, NULL), 0);
	CHECK_INT(memory_write(&m, "", 1), 0);
	return (char *)m.data;
}

static u32 number(s64 n)
{
	CHECK(n >= 0);
	return (u32)n;
}

static struct profile *new_profile(void)
{
	struct profile *p;

	CHECK_INT(profile_new(&p), 0);
	CHECK_INT(profile_add_sample_type(p, "samples", "count"), 0);
	CHECK_INT(profile_add_sample_type(p, "cpu", "nanoseconds"), 0);
	CHECK_INT(profile_set_period(p, "cpu", "nanoseconds", PERIOD), 0);
	return p;
}

static u32 add_mapping(struct profile *p, const char *path, const char *build_id, u64 start,
		       enum profile_mapping_kind kind)
{
	struct profile_mapping m = {
		.start = start,
		.limit = start + 0x100000,
		.path = number(profile_string(p, path)),
		.build_id = number(profile_string(p, build_id)),
		.kind = kind,
		.has_functions = true,
	};

	return number(profile_add_mapping(p, &m));
}

static void name_location(struct profile *p, u32 location, const char *name, s64 line)
{
	struct profile_line l = {number(profile_function(p, name, name, "demo.cc", 1)), line};

	CHECK_INT(profile_location_set_lines(p, location, &l, 1), 0);
}

static void add(struct profile *p, const u32 *stack, u32 n, s64 count,
		const struct profile_label *label)
{
	const s64 values[] = {count, count * PERIOD};

	CHECK_INT(profile_add_sample(p, stack, n, values, label, label ? 1 : 0), 0);
}

struct profile *fixture_profile(void)
{
	struct profile *p = new_profile();
	u32 demo = add_mapping(p, "/usr/bin/demo", "0123abcd", 0x400000, PROFILE_MAPPING_FILE);
	u32 lib = add_mapping(p, "/usr/lib/libfoo.so", "4567cdef", 0x7f0000000000,
			      PROFILE_MAPPING_FILE);
	u32 kernel =
		add_mapping(p, "[kernel.kallsyms]", "", 0xffffffff81000000, PROFILE_MAPPING_KERNEL);
	u32 inlined = number(profile_location(p, demo, 0x400010));
	u32 work = number(profile_location(p, demo, 0x400020));
	u32 entry = number(profile_location(p, demo, 0x400030));
	u32 unnamed = number(profile_location(p, lib, 0x7f0000000010));
	u32 syscall = number(profile_location(p, kernel, 0xffffffff81000010));
	struct profile_line two[2] = {
		{number(profile_function(p, "inlined<int>(int)", "_Z7inlinedIiEiT_", "demo.cc",
					 10)),
		 12},
		{number(profile_function(p, "work", "work", "demo.cc", 1)), 34},
	};
	struct profile_label a = {.key = number(profile_string(p, "thread")),
				  .str = number(profile_string(p, "a"))};
	struct profile_label b = {.key = a.key, .str = number(profile_string(p, "b"))};
	struct profile_label tid = {.key = number(profile_string(p, "tid")), .num = 7};

	p->time_nanos = 1700000000000000000;
	p->duration_nanos = 5000000000;
	CHECK_INT(profile_add_comment(p, "cprof cpu: %s (PID %d)", "demo", 7), 0);
	CHECK_INT(profile_location_set_lines(p, inlined, two, 2), 0);
	name_location(p, work, "work", 35);
	name_location(p, entry, "main", 50);
	name_location(p, syscall, "do_syscall", 0);
	add(p, (u32[]){inlined, entry}, 2, 3, &a);
	add(p, (u32[]){work, entry}, 2, 2, &b);
	add(p, (u32[]){unnamed, entry}, 2, 1, &tid);
	add(p, (u32[]){syscall, work, work, entry}, 4, 4, NULL);
	return p;
}

struct profile *large_profile(u32 locations, u32 samples)
{
	struct profile *p = new_profile();
	u32 demo = add_mapping(p, "/usr/bin/demo", "0123abcd", 0x400000, PROFILE_MAPPING_FILE),
	    stack[30];
	u64 random = 1;
	char name[64];

	for (u32 i = 0; i < locations; i++) {
		snprintf(name, sizeof(name), "some::space::function_%u(int, char const*)", i);
		name_location(p, number(profile_location(p, demo, 0x400000 + i * 8)), name, i);
	}
	for (u32 i = 0; i < samples; i++) {
		for (u32 k = 0; k < ARRAY_LEN(stack); k++) {
			random = random * 6364136223846793005ull + 1442695040888963407ull;
			stack[k] = (u32)(random >> 33) % locations;
		}
		add(p, stack, ARRAY_LEN(stack), i + 1, NULL);
	}
	return p;
}

void fixture_check_profile(const char *path)
{
	struct profile *p = fixture_profile();
	char *want = written(p, &format_folded, NULL);

	fixture_check_text(path, want);
	free(want);
	profile_free(p);
}
