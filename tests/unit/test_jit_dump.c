/* SPDX-License-Identifier: Apache-2.0 */
/* jitdump files: which record names an address, lines, moves, and damage. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbol/jit_dump.h"
#include "symbol/jit_sources.h"
#include "unit.h"

static u8 file[1 << 17];
static size_t file_len;

static void put(const void *data, size_t len)
{
	CHECK(file_len + len <= sizeof(file));
	memcpy(file + file_len, data, len);
	file_len += len;
}

static void put_u32(u32 value)
{
	put(&value, sizeof(value));
}

static void put_u64(u64 value)
{
	put(&value, sizeof(value));
}

static void begin(void)
{
	file_len = 0;
	put_u32(0x4a695444);
	put_u32(1);
	put_u32(40);
	put_u32(62); /* EM_X86_64 */
	put_u32(0);
	put_u32(4711);
	put_u64(1);
	put_u64(0);
}

static void put_prefix(u32 id, size_t size)
{
	put_u32(id);
	put_u32((u32)(16 + size));
	put_u64(0);
}

static void put_load(const char *name, u64 at, u64 size, u64 index)
{
	static const u8 code[4096];

	CHECK(size <= sizeof(code));
	put_prefix(0, 40 + strlen(name) + 1 + size);
	put_u64(0);
	put_u64(at);
	put_u64(at);
	put_u64(size);
	put_u64(index);
	put(name, strlen(name) + 1);
	put(code, size);
}

static void put_move(u64 from, u64 to, u64 size, u64 index)
{
	put_prefix(1, 48);
	put_u64(0);
	put_u64(to);
	put_u64(from);
	put_u64(to);
	put_u64(size);
	put_u64(index);
}

/* Two lines: the second one is in the same file. */
static void put_lines(u64 at, const char *name)
{
	put_prefix(2, 16 + 2 * 16 + strlen(name) + 1 + 2);
	put_u64(at);
	put_u64(2);
	put_u64(at);
	put_u32(10);
	put_u32(0);
	put(name, strlen(name) + 1);
	put_u64(at + 8);
	put_u32(11);
	put_u32(0);
	put("\xff", 2);
}

static struct budget *fresh_budget(void)
{
	static struct budget budget;

	budget_init(&budget, 1 << 20);
	return &budget;
}

static int scan(const u64 *at, size_t n, struct jit_dump **out)
{
	struct input_file in;
	int fd = memfd_create("dump", MFD_CLOEXEC), err;

	CHECK(fd >= 0 && write(fd, file, file_len) == (ssize_t)file_len);
	CHECK_INT(input_file_of(fd, &in), 0);
	err = jit_dump_scan(&in, fresh_budget(), at, n, out);
	input_file_close(&in);
	return err;
}

static void check(u64 at, const char *name, const char *source, u32 line)
{
	struct jit_dump *d;

	CHECK_INT(scan(&at, 1, &d), 0);
	CHECK_STR(jit_dump_at(d, 0)->name, name);
	CHECK_STR(jit_dump_at(d, 0)->file, source);
	CHECK_INT(jit_dump_at(d, 0)->line, line);
	jit_dump_free(d);
}

TEST(jit_dump, names_and_lines)
{
	begin();
	put_lines(0x1000, "/src/a.js");
	put_load("first", 0x1000, 64, 1);
	put_load("second", 0x2000, 64, 2);
	check(0x1000, "first", "/src/a.js", 10);
	check(0x1008, "first", "/src/a.js", 11);
	check(0x103f, "first", "/src/a.js", 11);
	check(0x1040, NULL, NULL, 0);
	check(0x2001, "second", NULL, 0);
	check(0xfff, NULL, NULL, 0);
}

TEST(jit_dump, the_last_record_wins)
{
	begin();
	put_load("old", 0x1000, 64, 1);
	put_load("large", 0x1000, 2048, 2);
	put_lines(0x1010, "/src/b.js");
	put_load("new", 0x1010, 16, 3);
	check(0x1000, "large", NULL, 0);
	check(0x1018, "new", "/src/b.js", 11);
	check(0x1020, "large", NULL, 0);
}

/* A function that has moved is itself at its new place, with its lines. */
TEST(jit_dump, moved_functions)
{
	begin();
	put_lines(0x1000, "/src/a.js");
	put_load("mover", 0x1000, 64, 7);
	put_move(0x1000, 0x5000, 64, 7);
	put_move(0x5000, 0x9000, 64, 7);
	put_load("other", 0x1000, 64, 7);
	check(0x9009, "mover", "/src/a.js", 11);
	check(0x5000, "mover", "/src/a.js", 10);
	check(0x1000, "other", NULL, 0);
}

TEST(jit_dump, many_addresses_at_once)
{
	enum { FUNCTIONS = 400 };
	u64 at[FUNCTIONS];
	char name[16];
	struct jit_dump *d;

	begin();
	for (u32 i = 0; i < FUNCTIONS; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		put_load(name, 0x1000 + 16 * i, 16, i);
		/* The second half moves, to places in the opposite order of loading. */
		if (i >= FUNCTIONS / 2)
			put_move(0x1000 + 16 * i, 0x100000 + 16 * (FUNCTIONS - i), 16, i);
		at[i] = i < FUNCTIONS / 2 ? 0x1000 + 16 * i + 5
					  : 0x100000 + 16 * (i - FUNCTIONS / 2 + 1) + 5;
	}
	CHECK_INT(scan(at, FUNCTIONS, &d), 0);
	for (u32 i = 0; i < FUNCTIONS; i++) {
		snprintf(name, sizeof(name), "f%u",
			 i < FUNCTIONS / 2 ? i : FUNCTIONS - (i - FUNCTIONS / 2 + 1));
		CHECK_STR(jit_dump_at(d, i)->name, name);
	}
	jit_dump_free(d);
}

/* The file may end anywhere, because the program still writes it. */
TEST(jit_dump, ends_and_damage)
{
	u64 at = 0x1000;
	size_t whole;
	struct jit_dump *d;

	begin();
	put_lines(0x1000, "/src/a.js");
	put_load("first", 0x1000, 64, 1);
	put_move(0x1000, 0x3000, 64, 1);
	whole = file_len;
	for (file_len = 0; file_len < 40; file_len++)
		CHECK_INT(scan(&at, 1, &d), -EBADMSG);
	for (; file_len < whole; file_len++) {
		CHECK_INT(scan(&at, 1, &d), 0);
		jit_dump_free(d);
	}
	for (size_t i = 40; i < whole; i++) {
		file[i] ^= 0xff;
		CHECK_INT(scan(&at, 1, &d), 0);
		jit_dump_free(d);
		file[i] ^= 0xff;
	}
}

static void check_tidy(const char *raw, const char *want)
{
	char name[100];

	snprintf(name, sizeof(name), "%s", raw);
	jit_name_tidy(name);
	CHECK_STR(name, want);
}

TEST(jit_dump, a_function_has_one_name_however_it_was_compiled)
{
	check_tidy("LazyCompile:*work /a.js:1", "LazyCompile:work /a.js:1");
	check_tidy("JS:~work /a.js:1", "JS:work /a.js:1");
	check_tidy("JS:^work /a.js:1", "JS:work /a.js:1");
	check_tidy("JS:work /a.js:1", "JS:work /a.js:1");
	check_tidy("Script:~ /a.js:1", "Script: /a.js:1");
	check_tidy("int32 [app] Program::Main()[Tier0]", "int32 [app] Program::Main()");
	check_tidy("int32 [app] Program::Main()[OptimizedTier1]", "int32 [app] Program::Main()");
	check_tidy("operator[]", "operator[]");
	check_tidy("[Tier0]", "[Tier0]");
	check_tidy("Lcom/example/Main;::work", "Lcom/example/Main;::work");
}
