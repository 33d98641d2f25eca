/* SPDX-License-Identifier: Apache-2.0 */
/* Files that lie: tables are refused or bounded, and nothing else happens. */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "fixture.h"
#include "rows_fixture.h"
#include "unit.h"

/* Returns the number of rows, or 0 if the image was refused. */
static u32 try_image(const u8 *image, size_t len)
{
	u32 nrows = 0;
	struct function_range *fns;
	struct rule_set *set;
	struct elf_file *f;
	struct rows *rows;
	size_t n;

	if (elf_file_open_memory((struct bytes){image, len}, &f))
		return 0;
	CHECK_INT(rule_set_new(rows_rules, UNWIND_MAX_RULES, &set), 0);
	if (!rows_build(f, f, set, &rows)) {
		rows_check_layout(rows);
		nrows = rows->nrows;
		rows_free(rows);
	}
	if (!rows_functions(f, &fns, &n))
		free(fns);
	rule_set_free(set);
	elf_file_free(f);
	return nrows;
}

TEST(rows, survive_damage_anywhere_in_the_cfi)
{
	struct rows_module m = rows_module_build("t.c", rows_big_frame, "cc -O1 -o t t.c");
	struct elf_section s;
	size_t len;
	u8 *image = fixture_read(fixture_path("t"), &len);

	CHECK_INT(elf_file_section(m.f, ".eh_frame", &s), 0);
	for (u64 at = s.offset; at < s.offset + s.data.len; at++) {
		static const u8 damage[] = {0x00, 0x7f, 0x80, 0xff};
		u8 saved = image[at];

		for (size_t i = 0; i < ARRAY_LEN(damage); i++) {
			image[at] = damage[i];
			try_image(image, len);
		}
		image[at] = saved;
	}
	free(image);
	rows_module_close(&m);
}

TEST(rows, segments_that_lie_cost_nothing)
{
	struct rows_module m = rows_module_build("t.c", rows_big_frame, "cc -O1 -o t t.c");
	static const u64 lies[] = {0, 1, 1ull << 32, 1ull << 48, 1ull << 63, UINT64_MAX};
	clock_t begin = clock();
	size_t len;
	u8 *image = fixture_read(fixture_path("t"), &len);
	Elf64_Ehdr *ehdr = (Elf64_Ehdr *)image;
	Elf64_Phdr *headers = (Elf64_Phdr *)(image + ehdr->e_phoff);

	for (size_t i = 0; i < ehdr->e_phnum; i++) {
		for (size_t l = 0; l < ARRAY_LEN(lies); l++) {
			Elf64_Phdr saved = headers[i];

			headers[i].p_type = PT_LOAD;
			headers[i].p_flags = PF_X | PF_R;
			headers[i].p_filesz = lies[l];
			try_image(image, len);
			headers[i].p_vaddr = lies[l];
			try_image(image, len);
			headers[i].p_offset = lies[l];
			try_image(image, len);
			headers[i] = saved;
			headers[i].p_offset = 0;
			try_image(image, len);
			headers[i] = saved;
		}
	}
	CHECK(clock() - begin < 5 * CLOCKS_PER_SEC);
	free(image);
	rows_module_close(&m);
}

/*
 * A megabyte that consists only of rows: it has one FDE per KiB of address space, each advancing a
 * byte at a time to another CFA, below 64 executable segments that show the same addresses.
 */
TEST(rows, a_bomb_is_bounded)
{
	const size_t size = 1u << 20, frames_at = 0x4000;
	u8 *image = calloc(1, size), *at = image + frames_at;
	Elf64_Ehdr *ehdr = (Elf64_Ehdr *)image;
	Elf64_Phdr *ph = (Elf64_Phdr *)(ehdr + 1);
	static const u8 cie[] = {16, 0,    0,  0,    0, 0, 0,    0, 1, 0,
				 1,  0x78, 16, 0x0c, 7, 8, 0x90, 1, 0, 0};
	static const u8 hdr[] = {1, 0x03, 0xff, 0xff, 0, 0x40, 0, 0};
	struct rusage before, after;
	clock_t begin;

	CHECK(image);
	memcpy(ehdr->e_ident, (u8[]){0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT}, 7);
	ehdr->e_type = ET_EXEC;
	ehdr->e_machine = EM_X86_64;
	ehdr->e_version = EV_CURRENT;
	ehdr->e_ehsize = sizeof(*ehdr);
	ehdr->e_phoff = sizeof(*ehdr);
	ehdr->e_phentsize = sizeof(*ph);
	ehdr->e_phnum = 66;
	for (int i = 0; i < 64; i++)
		ph[i] = (Elf64_Phdr){.p_type = PT_LOAD,
				     .p_flags = PF_X | PF_R,
				     .p_vaddr = 0x10000000,
				     .p_offset = (u64)i * (size / 64),
				     .p_filesz = size / 64};
	ph[64] = (Elf64_Phdr){.p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = size};
	ph[65] = (Elf64_Phdr){.p_type = PT_GNU_EH_FRAME,
			      .p_offset = 0x3000,
			      .p_vaddr = 0x3000,
			      .p_filesz = sizeof(hdr)};
	memcpy(image + 0x3000, hdr, sizeof(hdr));
	memcpy(at, cie, sizeof(cie));
	at += sizeof(cie);
	for (u64 start = 0x10000000; (size_t)(at - image) + 4096 < size; start += 1024) {
		u32 len = 4 + 16 + 3 * 1000, id = (u32)(at + 4 - image - frames_at);
		u64 range = 1024;

		memcpy(at, &len, 4);
		memcpy(at + 4, &id, 4);
		memcpy(at + 8, &start, 8);
		memcpy(at + 16, &range, 8);
		for (at += 24; len > 20; len -= 3, at += 3)
			memcpy(at, (u8[]){0x0e, (u8)(len & 0x7f), 0x41}, 3);
	}
	getrusage(RUSAGE_SELF, &before);
	begin = clock();
	CHECK(try_image(image, size) > 100000);
	CHECK(clock() - begin < CLOCKS_PER_SEC);
	getrusage(RUSAGE_SELF, &after);
	CHECK(after.ru_maxrss - before.ru_maxrss < 200 << 10);
	free(image);
}

TEST(rows, refuses_other_machines)
{
	struct rows_module m = rows_module_build("t.c", rows_big_frame, "cc -O1 -o t t.c");
	struct elf_file *f;
	struct rows *rows;
	size_t len;
	u8 *image = fixture_read(fixture_path("t"), &len);

	((Elf64_Ehdr *)image)->e_machine = EM_AARCH64;
	CHECK_INT(elf_file_open_memory((struct bytes){image, len}, &f), 0);
	CHECK_INT(rows_build(f, NULL, m.set, &rows), -ENOEXEC);
	elf_file_free(f);
	free(image);
	rows_module_close(&m);
}

/* Rows for a part of the code would cut stacks without giving the reason. */
TEST(rows, are_left_out_when_the_budget_ends)
{
	struct rows_module m = rows_module_open("/lib/x86_64-linux-gnu/libc.so.6");
	struct budget *budget = elf_file_budget(m.f);
	struct budget whole;
	struct rows *rows;
	u64 used;

	budget_init(&whole, 0);
	used = whole.steps[BUDGET_UNWIND] - budget->steps[BUDGET_UNWIND];
	/* A large C library uses a thousandth of it. */
	CHECK(used > 10000 && used < whole.steps[BUDGET_UNWIND] / 1000);
	budget_limit(budget, used / 2, 1 << 30);
	CHECK_INT(rows_build(m.f, NULL, m.set, &rows), -E2BIG);
	CHECK_INT(budget_lost(budget, BUDGET_UNWIND), BUDGET_STEPS);
	rows_module_close(&m);
}
