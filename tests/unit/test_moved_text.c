/* SPDX-License-Identifier: Apache-2.0 */
/* Text that was moved is recognized by the file around it, and only by its bytes. */
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "target/moved_text.h"

#define PAGES 16u
#define PAGE 4096u

struct fixture {
	struct elf_file *elf; /* this program */
	const struct elf_segment *code, *other;
	u64 vaddr; /* of the copied part */
	u8 *copy;
	struct map_entry e, around;
};

static char path[] = "/program";

static void setup(struct fixture *f)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	const struct elf_segment *s;
	u64 bias;
	size_t n;

	memset(f, 0, sizeof(*f));
	CHECK_INT(elf_file_open(fd, &f->elf), 0);
	close(fd);
	n = elf_file_segments(f->elf, &s);
	for (size_t i = 0; i < n; i++) {
		if (s[i].flags & PF_X)
			f->code = &s[i];
		else if (!f->other)
			f->other = &s[i];
	}
	CHECK(f->code && f->other);
	f->vaddr = (f->code->vaddr + f->code->filesz / 2) & ~(u64)(PAGE - 1);
	f->copy = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);
	CHECK(f->copy != MAP_FAILED);
	for (u32 i = 0; i < PAGES; i++)
		memcpy(f->copy + i * PAGE,
		       elf_file_loaded(f->elf, f->vaddr + (u64)i * PAGE, PAGE).data, PAGE);
	bias = (u64)(uintptr_t)f->copy - f->vaddr;
	f->e = (struct map_entry){.start = (u64)(uintptr_t)f->copy,
				  .end = (u64)(uintptr_t)f->copy + (u64)PAGES * PAGE,
				  .executable = true,
				  .path = path + sizeof(path) - 1};
	f->around = (struct map_entry){.start = (f->other->vaddr & ~(u64)(PAGE - 1)) + bias,
				       .offset = f->other->offset & ~(u64)(PAGE - 1),
				       .inode = 1,
				       .path = path};
	f->around.end = f->around.start + PAGE;
}

static void teardown(struct fixture *f)
{
	munmap(f->copy, PAGES * PAGE);
	elf_file_free(f->elf);
}

static bool is_moved(struct fixture *f, struct moved_text *out)
{
	return moved_text_is_of(getpid(), &f->e, &f->around, f->elf, out);
}

TEST(moved_text, is_where_the_file_has_it)
{
	struct moved_text text;
	struct fixture f;

	setup(&f);
	CHECK(is_moved(&f, &text));
	CHECK_INT(text.start, f.e.start);
	CHECK_INT(text.end, f.e.end);
	CHECK_INT(f.e.start + text.shift, f.vaddr - f.code->vaddr + f.code->offset);
	teardown(&f);
}

TEST(moved_text, has_the_bytes_of_the_file)
{
	struct moved_text text;
	struct fixture f;

	setup(&f);
	memset(f.copy + 3 * PAGE, 0x90, 64); /* some of them may be patched */
	CHECK(is_moved(&f, &text));
	for (u32 i = 0; i < PAGES * PAGE; i += 7)
		f.copy[i] ^= 0x55;
	CHECK(!is_moved(&f, &text));
	memset(f.copy, 0, (size_t)PAGES * PAGE);
	CHECK(!is_moved(&f, &text));
	teardown(&f);
}

TEST(moved_text, is_not_beside_the_segment)
{
	struct moved_text text;
	struct fixture f;

	setup(&f);
	f.around.start += PAGE; /* then the same bytes belong elsewhere */
	CHECK(!is_moved(&f, &text));
	f.around.start += 1ull << 40;
	CHECK(!is_moved(&f, &text));
	teardown(&f);
}

TEST(moved_text, the_nearest_files_are_looked_at)
{
	char other[] = "/other", none[] = "", memory[] = "/memfd:code";
	struct map_entry all[] = {
		{.start = 0x1000, .end = 0x2000, .inode = 7, .path = other},
		{.start = 0x3000, .end = 0x4000, .inode = 8, .path = path},
		{.start = 0x5000, .end = 0x6000, .inode = 9, .path = memory},
		{.start = 0x6000, .end = 0x7000, .executable = true, .path = none},
		{.start = 0x8000, .end = 0x9000, .inode = 8, .path = path},
		{.start = 0x9000, .end = 0xa000, .inode = 7, .path = other},
	};
	const map_vec maps = {.data = all, .len = ARRAY_LEN(all)};
	const struct map_entry *around[MOVED_TEXT_AROUND];

	CHECK_INT(moved_text_around(&maps, &all[3], around), 1);
	CHECK(around[0] == &all[1]);
	CHECK_INT(moved_text_around(&maps, &all[0], around), 1);
	CHECK(around[0] == &all[1]);
	CHECK_INT(moved_text_around(&maps, &all[4], around), 1);
	CHECK(around[0] == &all[0]);
}

TEST(moved_text, is_likely_beside_a_file)
{
	char none[] = "", uprobes[] = "[uprobes]", named[] = "[anon: huge]";
	struct map_entry all[] = {
		{.start = 0x1000, .end = 0x2000, .executable = true, .path = none},
		{.start = 0x2000, .end = 0x3000, .inode = 8, .path = path}, /* a file begins */
		{.start = 0x3000, .end = 0x4000, .executable = true, .path = named},
		{.start = 0x6000, .end = 0x7000, .executable = true, .path = none},
		{.start = 0x7000, .end = 0x8000, .executable = true, .path = uprobes},
		{.start = 0x8000, .end = 0x9000, .offset = 0x5000, .inode = 8, .path = path},
		{.start = 0xb000, .end = 0xc000, .executable = true, .path = none},
	};
	const map_vec maps = {.data = all, .len = ARRAY_LEN(all)};

	CHECK(!moved_text_is_likely(&maps, &all[0]));
	CHECK(moved_text_is_likely(&maps, &all[2]));
	CHECK(moved_text_is_likely(&maps, &all[3])); /* between two parts of one */
	CHECK(!moved_text_is_likely(&maps, &all[4]));
	CHECK(!moved_text_is_likely(&maps, &all[6]));
}
