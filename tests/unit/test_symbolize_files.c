/* SPDX-License-Identifier: Apache-2.0 */
/* Names from the programs of this machine, for profiles that were read from files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbol/symbolize_files.h"
#include "target/maps.h"
#include "target/module.h"
#include "unit.h"

__attribute__((noinline)) static int a_function_with_a_name(int x)
{
	__asm__ volatile("" : "+r"(x));
	return x;
}

/* Makes a profile with one address in that function, as in our own program's mapping. */
static struct profile *profile_of_ourselves(const char *build_id)
{
	u64 address = (u64)(uintptr_t)&a_function_with_a_name + 1;
	struct profile_mapping m = {0};
	map_vec maps = {0};
	struct profile *p;

	CHECK_INT(profile_new(&p), 0);
	CHECK_INT(maps_read(getpid(), &maps), 0);
	vec_for_each(&maps, e) {
		if (address < e->start || address >= e->end)
			continue;
		m = (struct profile_mapping){
			.start = e->start, .limit = e->end, .offset = e->offset};
		m.path = (string_id)profile_string(p, e->path);
	}
	maps_release(&maps);
	CHECK(m.path);
	m.build_id = (string_id)profile_string(p, build_id);
	CHECK(profile_location(p, (u32)profile_add_mapping(p, &m), address) >= 0);
	return p;
}

TEST(symbolize_files, our_own_program)
{
	struct profile *p = profile_of_ourselves("");
	const struct profile_location *l = &p->locations.data[0];

	CHECK_INT(a_function_with_a_name(3), 3);
	CHECK_INT(symbolize_from_files(p, NULL, &(struct left_out){0}), 0);
	CHECK_INT(l->nlines, 1);
	CHECK_STR(profile_text(p, p->functions.data[p->lines.data[l->first_line].function].name),
		  "a_function_with_a_name");
	CHECK(p->mappings.data[0].has_functions && !p->mappings.data[0].source);
	profile_free(p);
}

TEST(symbolize_files, another_build_gives_no_names)
{
	struct profile *p = profile_of_ourselves("00112233445566778899aabbccddeeff00112233");

	CHECK_INT(symbolize_from_files(p, NULL, &(struct left_out){0}), 0);
	CHECK_INT(p->locations.data[0].nlines, 0);
	CHECK(!p->mappings.data[0].source);
	profile_free(p);
}

/* A file may give its programs any path; nothing there blocks or is read. */
TEST(symbolize_files, paths_that_are_no_programs)
{
	char dir[] = "/tmp/cprof-unit-XXXXXX", fifo[64];
	const char *paths[] = {"/dev/zero", "/dev/tty", "/etc/passwd", "/tmp",
			       "/no/such",  "relative", fifo};
	struct module *m;

	CHECK(mkdtemp(dir));
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	CHECK_INT(mkfifo(fifo, 0600), 0);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		CHECK(module_open_file(NULL, paths[i], &m) < 0);
	CHECK_INT(module_open_file(NULL, "/etc/passwd", &m), -ENOEXEC);
	unlink(fifo);
	rmdir(dir);
}

/* A file is opened once however many mappings refer to it, and not for mappings whose addresses
 * have names. */
TEST(symbolize_files, many_mappings_of_one_file)
{
	enum { MAPPINGS = 20000 };
	struct profile *p = profile_of_ourselves("");
	struct profile_mapping again = p->mappings.data[0];
	u64 address = p->locations.data[0].address;
	struct left_out lost;

	for (u64 i = 1; i < MAPPINGS; i++) {
		again.start += 1ull << 32;
		again.limit += 1ull << 32;
		CHECK_INT(profile_add_mapping(p, &again), i);
		CHECK_INT(profile_location(p, (u32)i, address + (i << 32)), i);
	}
	CHECK_INT(symbolize_from_files(p, NULL, &lost), 0);
	CHECK_INT(lost.parts, 0);
	for (size_t i = 0; i < MAPPINGS; i++)
		CHECK_INT(p->locations.data[i].nlines, 1);
	CHECK_INT(p->functions.len, 1);
	profile_free(p);
}

/* One file may have any number of paths. */
TEST(symbolize_files, many_paths_of_one_file)
{
	enum { PATHS = 300 };
	struct profile *p = profile_of_ourselves("");
	struct profile_mapping again = p->mappings.data[0];
	u64 address = p->locations.data[0].address;
	const char *path = profile_text(p, again.path);
	struct rusage children;
	struct left_out lost;
	char other[8192];

	for (u64 i = 1; i < PATHS; i++) {
		size_t len = 0;

		for (u64 k = 0; k < i; k++)
			len += (size_t)snprintf(other + len, sizeof(other) - len, "/.");
		snprintf(other + len, sizeof(other) - len, "%s", path);
		again.path = (string_id)profile_string(p, other);
		CHECK_INT(profile_add_mapping(p, &again), i);
		CHECK_INT(profile_location(p, (u32)i, address), i);
	}
	CHECK_INT(symbolize_from_files(p, NULL, &lost), 0);
	CHECK_INT(lost.parts, 0);
	for (size_t i = 0; i < PATHS; i++)
		CHECK_INT(p->locations.data[i].nlines, 1);
	profile_free(p);
	getrusage(RUSAGE_CHILDREN, &children);
	/* Each time the file is read, it takes some 10 MB. */
#ifndef UNIT_SANITIZED
	CHECK(children.ru_maxrss < 200 << 10);
#endif
}
