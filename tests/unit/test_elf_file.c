/* SPDX-License-Identifier: Apache-2.0 */
/* ELF files: good ones from the compiler, and bad ones made from them byte by byte. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "elf/elf_file.h"
#include "elf_fixture.h"
#include "elf_patch.h"
#include "fixture.h"
#include "unit.h"

static const char source[] = "int g(int);\n"
			     "__attribute__((noinline)) int f(int n) { return g(n) + 1; }\n"
			     "int g(int n) { return n * 3; }\n"
			     "int main(int argc, char **argv) { return f(argc); }\n";

static const char *compile(const char *flags)
{
	fixture_write("t.c", source, sizeof(source) - 1);
	fixture_run("cc -O1 %s -o t t.c", flags);
	return fixture_path("t");
}

TEST(elf_file, what_is_trimmed_is_read_again)
{
	struct elf_file *f = elf_fixture_open(compile("-g -gz=zlib"));
	struct elf_section section;
	u64 size, checksum = 0;

	for (int round = 0; round < 3; round++) {
		u64 sum = 0;

		CHECK_INT(elf_file_section(f, ".debug_info", &section), 0);
		for (size_t i = 0; i < section.data.len; i++)
			sum = sum * 31 + section.data.data[i];
		CHECK(!round || (sum == checksum && section.data.len == size));
		checksum = sum;
		size = section.data.len;
		budget_limit(elf_file_budget(f), 0, 0);
		budget_lose(elf_file_budget(f), BUDGET_LINES, BUDGET_TIME);
		elf_file_trim(f);
		CHECK_INT(budget_lost(elf_file_budget(f), BUDGET_LINES), BUDGET_TIME);
	}
	elf_file_free(f);
}

static int open_bytes(const void *data, size_t len, struct elf_file **f)
{
	return elf_file_open_memory((struct bytes){data, len}, f);
}

TEST(elf_file, reads_headers_and_build_id)
{
	struct elf_file *f = elf_fixture_open(
		compile("-Wl,--build-id=0x00112233445566778899aabbccddeeff00112233"));
	const struct elf_segment *segments;
	char hex[2 * BUILD_ID_MAX + 1];
	size_t executable = 0, n;
	u64 off, vaddr;

	build_id_format(elf_file_build_id(f), hex, sizeof(hex));
	CHECK_STR(hex, "00112233445566778899aabbccddeeff00112233");
	CHECK_INT(elf_file_machine(f), EM_X86_64);
	CHECK_INT(elf_file_type(f), ET_DYN);
	n = elf_file_segments(f, &segments);
	for (size_t i = 0; i < n; i++)
		executable += (segments[i].flags & PF_X) != 0;
	CHECK_INT(executable, 1);
	CHECK(elf_file_vaddr_to_offset(f, elf_file_entry(f), &off));
	CHECK(elf_file_offset_to_vaddr(f, off, &vaddr));
	CHECK_INT(vaddr, elf_file_entry(f));
	CHECK(!elf_file_vaddr_to_offset(f, UINT64_MAX, &off));
	elf_file_free(f);
}

TEST(elf_file, formats_a_build_id_into_little_room)
{
	struct build_id id = {.data = {0xab, 0xcd}, .len = 2};
	char out[4];

	build_id_format(&id, out, sizeof(out));
	CHECK_STR(out, "ab");
	build_id_format(&(struct build_id){0}, out, sizeof(out));
	CHECK_STR(out, "");
}

TEST(elf_file, finds_no_build_id_where_there_is_none)
{
	struct elf_file *f = elf_fixture_open(compile("-Wl,--build-id=none"));

	CHECK_INT(elf_file_build_id(f)->len, 0);
	elf_file_free(f);
}

static void check_inflates(const char *flags)
{
	struct elf_file *plain = elf_fixture_open(compile("-g -gz=none")), *packed;
	struct elf_section want, have, again;
	u8 *copy;

	CHECK_INT(elf_file_section(plain, ".debug_info", &want), 0);
	copy = malloc(want.data.len);
	CHECK(copy && want.data.len > 0);
	memcpy(copy, want.data.data, want.data.len);
	packed = elf_fixture_open(compile(flags));
	CHECK_INT(elf_file_section(packed, ".debug_str", &have), 0);
	CHECK_INT(elf_file_section(packed, ".debug_info", &have), 0);
	CHECK_INT(have.data.len, want.data.len);
	CHECK_INT(elf_file_section(packed, ".debug_info", &again), 0);
	CHECK(again.data.data == have.data.data);
	free(copy);
	elf_file_free(plain);
	elf_file_free(packed);
}

TEST(elf_file, inflates_compressed_sections)
{
	check_inflates("-g -gz=zlib");
}

TEST(elf_file, inflates_zdebug_sections)
{
	check_inflates("-g -gz=zlib-gnu");
}

TEST(elf_file, takes_nobits_for_missing)
{
	struct elf_section s;
	struct elf_file *f;

	compile("-g");
	fixture_run("objcopy --only-keep-debug t t.debug");
	f = elf_fixture_open(fixture_path("t.debug"));
	CHECK_INT(elf_file_section(f, ".eh_frame", &s), -ENOENT);
	CHECK_INT(elf_file_section(f, ".no_such", &s), -ENOENT);
	CHECK_INT(elf_file_section(f, ".debug_info", &s), 0);
	CHECK(elf_file_build_id(f)->len > 0);
	elf_file_free(f);
}

TEST(elf_file, finds_eh_frame_without_section_headers)
{
	const char *path = compile("");
	struct elf_file *f = elf_fixture_open(path), *bare;
	struct elf_section want, have;
	size_t len;
	u8 *image = fixture_read(path, &len);
	Elf64_Ehdr *ehdr = (Elf64_Ehdr *)image;

	ehdr->e_shoff = 0;
	ehdr->e_shnum = ehdr->e_shstrndx = 0;
	CHECK_INT(open_bytes(image, len, &bare), 0);
	CHECK_INT(elf_file_section(f, ".eh_frame", &want), 0);
	CHECK_INT(elf_file_section(bare, ".eh_frame", &have), 0);
	CHECK_INT(have.vaddr, want.vaddr);
	CHECK_INT(have.offset, want.offset);
	CHECK(have.data.len >= want.data.len);
	CHECK(!memcmp(have.data.data, want.data.data, want.data.len));
	CHECK_INT(elf_file_section(bare, ".eh_frame_hdr", &have), 0);
	CHECK_INT(elf_file_section(bare, ".debug_info", &have), -ENOENT);
	CHECK(elf_file_build_id(bare)->len > 0);
	elf_file_free(f);
	elf_file_free(bare);
	free(image);
}

static int open_file_of(const void *data, size_t len, struct elf_file **f)
{
	int fd = open(fixture_write("broken", data, len), O_RDONLY | O_CLOEXEC), ret;

	CHECK(fd >= 0);
	ret = elf_file_open(fd, f);
	close(fd);
	return ret;
}

/* What the kernel needs is intact, so the file runs, and so it must be profiled as well. */
static void check_usable(struct elf_file *f, struct elf_file *whole)
{
	const struct build_id *want_id = elf_file_build_id(whole), *id = elf_file_build_id(f);
	struct elf_section want, have;

	CHECK_INT(elf_file_section(whole, ".eh_frame", &want), 0);
	CHECK_INT(elf_file_section(f, ".eh_frame", &have), 0);
	CHECK_INT(have.vaddr, want.vaddr);
	CHECK(!memcmp(have.data.data, want.data.data, want.data.len));
	CHECK_INT(elf_file_section(f, ".debug_info", &have), -ENOENT);
	CHECK_INT(id->len, want_id->len);
	CHECK(!memcmp(id->data, want_id->data, id->len));
	CHECK_INT(elf_file_entry(f), elf_file_entry(whole));
	CHECK_INT(elf_file_size(f), elf_file_size(whole));
}

TEST(elf_file, opens_by_program_headers_when_sections_are_nowhere)
{
	static const u64 offsets[] = {1, 0x40, 0x1001, INT64_MAX, UINT64_MAX, 1ull << 40};
	const char *path = compile("");
	struct elf_file *whole = elf_fixture_open(path), *f;
	size_t len;
	u8 *image = fixture_read(path, &len);
	Elf64_Ehdr *ehdr = (Elf64_Ehdr *)image;

	for (size_t i = 0; i < ARRAY_LEN(offsets); i++) {
		ehdr->e_shoff = offsets[i];
		CHECK_INT(open_bytes(image, len, &f), 0);
		check_usable(f, whole);
		elf_file_free(f);
		CHECK_INT(open_file_of(image, len, &f), 0);
		check_usable(f, whole);
		elf_file_free(f);
	}
	elf_file_free(whole);
	free(image);
}

TEST(elf_file, opens_by_program_headers_when_the_section_table_is_garbage)
{
	const char *path = compile("");
	struct elf_file *whole = elf_fixture_open(path), *f;
	size_t len;
	u8 *image = fixture_read(path, &len);
	const Elf64_Ehdr *ehdr = (const Elf64_Ehdr *)image;

	for (int fill = 0; fill < 0x100; fill += 0x33) {
		memset(image + ehdr->e_shoff, fill, ehdr->e_shnum * sizeof(Elf64_Shdr));
		CHECK_INT(open_file_of(image, len, &f), 0);
		check_usable(f, whole);
		elf_file_free(f);
	}
	elf_file_free(whole);
	free(image);
}

TEST(elf_file, refuses_what_is_not_a_64_bit_little_endian_elf)
{
	u8 ident[64] = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT};
	struct elf_file *f;
	int fd;

	CHECK_INT(open_bytes("", 0, &f), -ENOEXEC);
	CHECK_INT(open_bytes("#!/bin/sh\nexit 0\n#############", 30, &f), -ENOEXEC);
	CHECK_INT(open_bytes(ident, sizeof(ident), &f), -ENOTSUP);
	ident[EI_CLASS] = ELFCLASS64;
	ident[EI_DATA] = ELFDATA2MSB;
	CHECK_INT(open_bytes(ident, sizeof(ident), &f), -ENOTSUP);
	fd = open("/", O_RDONLY | O_CLOEXEC);
	CHECK_INT(elf_file_open(fd, &f), -ENOEXEC);
	close(fd);
	CHECK_INT(elf_file_open(-1, &f), -EBADF);
	elf_file_free(NULL);
}

/* Opens the image and reads what it can. It must not crash, and whatever it returns must lie in the
 * file. */
static void try_image(const u8 *image, size_t len)
{
	static const char *const names[] = {".eh_frame", ".text", ".symtab", ".debug_info"};
	struct elf_section s;
	struct elf_file *f;
	volatile u8 sum = 0; /* reading is the test */

	if (open_bytes(image, len, &f))
		return;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!elf_file_section(f, names[i], &s))
			for (size_t at = 0; at < s.data.len; at++)
				sum ^= s.data.data[at];
	(void)sum;
	elf_file_free(f);
}

TEST(elf_file, survives_truncation_anywhere)
{
	size_t len;
	u8 *image = fixture_read(compile("-g"), &len), *exact;

	for (size_t cut = 0; cut < len; cut += cut < 0x400 ? 1 : 97) {
		exact = malloc(cut + 1);
		CHECK(exact);
		memcpy(exact, image, cut);
		try_image(exact, cut);
		free(exact);
	}
	free(image);
}

TEST(elf_file, survives_section_headers_that_lie)
{
	static const u64 lies[] = {0,          1,          1ull << 32,      4ull << 30,
				   1ull << 63, UINT64_MAX, UINT64_MAX - 63, INT64_MAX};
	size_t len;
	u8 *image = fixture_read(compile("-g -gz=zlib"), &len);
	const Elf64_Ehdr *ehdr = (const Elf64_Ehdr *)image;
	Elf64_Shdr *headers = (Elf64_Shdr *)(image + ehdr->e_shoff);

	for (size_t i = 0; i < ehdr->e_shnum; i++) {
		for (size_t l = 0; l < ARRAY_LEN(lies); l++) {
			Elf64_Shdr saved = headers[i];

			headers[i].sh_size = lies[l];
			try_image(image, len);
			headers[i].sh_offset = lies[l];
			try_image(image, len);
			headers[i] = saved;
			headers[i].sh_name = (u32)lies[l];
			headers[i].sh_entsize = lies[l];
			headers[i].sh_link = (u32)lies[l];
			try_image(image, len);
			headers[i] = saved;
		}
	}
	free(image);
}

TEST(elf_file, survives_program_headers_that_lie)
{
	static const u64 lies[] = {0, 1ull << 32, 1ull << 63, UINT64_MAX};
	size_t len;
	u8 *image = fixture_read(compile(""), &len);
	Elf64_Ehdr *ehdr = (Elf64_Ehdr *)image;
	Elf64_Phdr *headers = (Elf64_Phdr *)(image + ehdr->e_phoff);
	size_t phnum = ehdr->e_phnum;

	ehdr->e_shnum = ehdr->e_shstrndx = 0;
	ehdr->e_shoff = 0;
	for (size_t i = 0; i < phnum; i++) {
		for (size_t l = 0; l < ARRAY_LEN(lies); l++) {
			Elf64_Phdr saved = headers[i];

			headers[i].p_filesz = lies[l];
			try_image(image, len);
			headers[i].p_offset = lies[l];
			try_image(image, len);
			headers[i].p_vaddr = lies[l];
			try_image(image, len);
			headers[i] = saved;
		}
	}
	ehdr->e_phnum = 0xffff;
	try_image(image, len);
	free(image);
}

/* 1 KiB that claims to hold 4 GiB must be refused before memory is allocated. */
TEST(elf_file, refuses_absurd_compression)
{
	size_t len;
	u8 *image = fixture_read(compile("-g -gz=zlib"), &len);
	const Elf64_Ehdr *ehdr = (const Elf64_Ehdr *)image;
	Elf64_Shdr *headers = (Elf64_Shdr *)(image + ehdr->e_shoff);
	struct elf_section s;
	struct elf_file *f;
	int refused = 0;

	for (size_t i = 0; i < ehdr->e_shnum; i++)
		if (headers[i].sh_flags & SHF_COMPRESSED)
			((Elf64_Chdr *)(image + headers[i].sh_offset))->ch_size = 4ull << 30;
	CHECK_INT(open_bytes(image, len, &f), 0);
	refused += elf_file_section(f, ".debug_info", &s) == -EBADMSG;
	refused += elf_file_section(f, ".debug_str", &s) == -EBADMSG;
	CHECK(refused > 0);
	elf_file_free(f);
	free(image);
}

/* Of a sparse file of 8 GiB, only what it really holds may be read. */
TEST(elf_file, refuses_sections_made_of_holes)
{
	size_t len;
	u8 *image = fixture_read(compile(""), &len);
	const Elf64_Ehdr *ehdr = (const Elf64_Ehdr *)image;
	Elf64_Shdr *headers = (Elf64_Shdr *)(image + ehdr->e_shoff);
	struct rusage before, after;
	struct elf_section s;
	struct elf_file *f;

	for (size_t i = 0; i < ehdr->e_shnum; i++) {
		if (headers[i].sh_type == SHT_PROGBITS) {
			headers[i].sh_offset = 1 << 20;
			headers[i].sh_size = 1000 << 20;
		}
	}
	fixture_write("sparse", image, len);
	CHECK_INT(truncate(fixture_path("sparse"), 8ll << 30), 0);
	getrusage(RUSAGE_SELF, &before);
	f = elf_fixture_open(fixture_path("sparse"));
	CHECK_INT(elf_file_section(f, ".eh_frame", &s), -EBADMSG);
	CHECK_INT(elf_file_section(f, ".text", &s), -EBADMSG);
	getrusage(RUSAGE_SELF, &after);
	CHECK(after.ru_maxrss - before.ru_maxrss < 50 << 10);
	elf_file_free(f);
	free(image);
}

/* ---- what a file may cost -------------------------------------------------------------------- */

TEST(elf_file, sections_that_share_bytes_are_paid_for_each)
{
	static const char *const names[] = {".text", ".rodata", ".data", ".init", ".fini"};
	struct elf_section s;
	struct elf_patch p;
	struct elf_file *f;
	u64 before;
	size_t read = 0;

	elf_patch_init(&p, compile(""));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		elf_patch_section(&p, names[i])->sh_offset = 0;
		elf_patch_section(&p, names[i])->sh_size = p.len;
	}
	CHECK_INT(open_bytes(p.image, p.len, &f), 0);
	CHECK_INT(elf_file_section(f, ".text", &s), 0);
	CHECK_INT(s.data.len, p.len);
	before = elf_file_budget(f)->bytes;
	CHECK_INT(elf_file_section(f, ".text", &s), 0); /* it is in memory already */
	CHECK_INT(elf_file_budget(f)->bytes, before);
	budget_limit(elf_file_budget(f), 1000000, 2 * p.len + 1);
	for (size_t i = 1; i < ARRAY_LEN(names); i++)
		read += !elf_file_section(f, names[i], &s);
	CHECK_INT(read, 2);
	CHECK_INT(elf_file_section(f, ".fini", &s), -E2BIG);
	CHECK_INT(budget_lost(elf_file_budget(f), BUDGET_SECTIONS), BUDGET_BYTES);
	elf_file_free(f);
	elf_patch_release(&p);
}

TEST(elf_file, few_of_many_notes_are_read)
{
	Elf64_Shdr note = {.sh_type = SHT_NOTE, .sh_addralign = 4};
	struct budget whole;
	struct elf_patch p;
	struct elf_file *f;

	elf_patch_init(&p, compile("-Wl,--build-id=none"));
	note.sh_size = p.len;
	elf_patch_add_sections(&p, &note, 60000);
	CHECK_INT(open_bytes(p.image, p.len, &f), 0);
	budget_init(&whole, p.len);
	CHECK(whole.bytes - elf_file_budget(f)->bytes < 100 * p.len);
	elf_file_free(f);
	elf_patch_release(&p);
}

/* The first section header gives their number, and libelf would allocate 200 bytes for each. */
TEST(elf_file, claims_of_countless_sections_are_not_believed)
{
	const char *path = compile("");
	struct rusage before, after;
	Elf64_Ehdr ehdr;
	struct elf_file *f;
	Elf64_Shdr first = {.sh_size = 5000000};
	int fd = open(path, O_RDWR | O_CLOEXEC);

	CHECK_INT(pread(fd, &ehdr, sizeof(ehdr), 0), sizeof(ehdr));
	ehdr.e_shnum = 0;
	CHECK_INT(pwrite(fd, &ehdr, sizeof(ehdr), 0), sizeof(ehdr));
	CHECK_INT(pwrite(fd, &first, sizeof(first), (off_t)ehdr.e_shoff), sizeof(first));
	CHECK_INT(ftruncate(fd, 8ll << 30), 0);
	getrusage(RUSAGE_SELF, &before);
	/* The file is too large to be copied without its sections. */
	CHECK_INT(elf_file_open(fd, &f), -ENOEXEC);
	getrusage(RUSAGE_SELF, &after);
	CHECK(after.ru_maxrss - before.ru_maxrss < 50 << 10);
	close(fd);
}

static int count_section(void *arg, const char *name, Elf_Scn *scn, const GElf_Shdr *shdr)
{
	*(size_t *)arg += scn && shdr && name[0] == '.';
	return 0;
}

TEST(elf_file, section_names_without_an_end_are_not_for_libraries)
{
	struct elf_patch p;
	struct elf_file *f;
	Elf64_Shdr *names;

	elf_patch_init(&p, compile(""));
	CHECK_INT(open_bytes(p.image, p.len, &f), 0);
	CHECK_INT(elf_file_visit_sections(f, count_section, &(size_t){0}), 0);
	elf_file_free(f);
	names = elf_patch_section(&p, ".shstrtab");
	p.image[names->sh_offset + names->sh_size - 1] = 'x';
	CHECK_INT(open_bytes(p.image, p.len, &f), 0);
	CHECK_INT(elf_file_visit_sections(f, count_section, &(size_t){0}), -ENOENT);
	elf_file_free(f);
	elf_patch_release(&p);
}
