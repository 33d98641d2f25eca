/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/probe/code_check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

#define PAGES 3
#define PAGE 4096

/* A file of nops that this process maps as code. */
struct mapped {
	u8 *code;
	map_vec maps;
	const struct map_entry *entry;
};

static struct mapped map_nops(void)
{
	char path[] = "/tmp/cprof-unit-XXXXXX";
	int fd = mkstemp(path);
	struct mapped m = {0};
	u8 nops[PAGES * PAGE];

	memset(nops, 0x90, sizeof(nops));
	CHECK(fd >= 0);
	CHECK_INT(write(fd, nops, sizeof(nops)), (long)sizeof(nops));
	m.code = mmap(NULL, sizeof(nops), PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	CHECK(m.code != MAP_FAILED);
	close(fd);
	CHECK_INT(maps_read(getpid(), &m.maps), 0);
	vec_for_each(&m.maps, e) {
		if (e->start == (u64)(uintptr_t)m.code)
			m.entry = e;
	}
	CHECK(m.entry);
	unlink(path);
	return m;
}

static void change(const struct mapped *m, size_t at, u8 byte)
{
	CHECK(!mprotect(m->code, PAGES * PAGE, PROT_READ | PROT_WRITE));
	m->code[at] = byte;
	CHECK(!mprotect(m->code, PAGES * PAGE, PROT_READ | PROT_EXEC));
}

static bool unchanged(const struct mapped *m, u64 start, u64 end)
{
	code_spans spans = {0};
	bool same;

	CHECK_INT(vec_push(&spans, (struct code_span){start, end}), 0);
	same = code_is_unchanged(NULL, NULL, getpid(), &m->maps, m->entry, &spans);
	vec_release(&spans);
	return same;
}

static void unmap(struct mapped *m)
{
	munmap(m->code, PAGES * PAGE);
	maps_release(&m->maps);
}

TEST(code_check, finds_changed_code)
{
	struct mapped m;

	if (access("/proc/self/pagemap", R_OK) || geteuid())
		unit_skip("only root can open what is mapped");
	m = map_nops();
	CHECK(unchanged(&m, 0, PAGES * PAGE));
	change(&m, 5000, 0xe9);
	CHECK(!unchanged(&m, 0, PAGES * PAGE));
	CHECK(!unchanged(&m, 5000, 5001));
	CHECK(!unchanged(&m, 4000, 5001));
	CHECK(unchanged(&m, 0, 5000));
	CHECK(unchanged(&m, 5001, PAGES * PAGE));
	/* What is after the mapping cannot be changed. */
	CHECK(unchanged(&m, 8000, 1000000));
	change(&m, 5000, 0x90);
	CHECK(unchanged(&m, 0, PAGES * PAGE));
	unmap(&m);
}

TEST(code_check, knows_breakpoints_of_probes)
{
	struct mapped m;

	if (access("/proc/self/pagemap", R_OK) || geteuid())
		unit_skip("only root can open what is mapped");
	m = map_nops();
	change(&m, 4095, 0xcc);
	change(&m, 8192, 0xcc);
	CHECK(unchanged(&m, 0, PAGES * PAGE));
	change(&m, 8193, 0x91);
	CHECK(!unchanged(&m, 0, PAGES * PAGE));
	unmap(&m);
}

TEST(code_check, is_silent_about_what_has_gone)
{
	struct mapped m;

	if (access("/proc/self/pagemap", R_OK) || geteuid())
		unit_skip("only root can open what is mapped");
	m = map_nops();
	change(&m, 5000, 0xe9);
	munmap(m.code, PAGES * PAGE);
	CHECK(unchanged(&m, 0, PAGES * PAGE));
	maps_release(&m.maps);
}

TEST(code_check, looks_around_a_place)
{
	code_spans spans = {0};

	CHECK_INT(code_spans_add_place(&spans, 100), 0);
	CHECK_INT(code_spans_add_place(&spans, 3), 0);
	CHECK_INT(spans.data[0].start, 84);
	CHECK_INT(spans.data[0].end, 116);
	CHECK_INT(spans.data[1].start, 0);
	vec_release(&spans);
}
