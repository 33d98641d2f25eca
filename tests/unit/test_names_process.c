/* SPDX-License-Identifier: Apache-2.0 */
/* Naming in a separate process gives the same as without one, except if something goes wrong
 * there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf_fixture.h"
#include "fixture.h"
#include "name_fixture.h"
#include "symbol/names_process.h"
#include "symbol/names_wire.h"
#include "unit.h"

/*
 * A type with 100,000 members, each with 100,000 attributes that take no byte in .debug_info. To
 * find what follows the type, libdw reads ten thousand million attributes in a single call.
 */
static const char endless[] =
	".text\n.globl f\n.type f,@function\nf: nop; nop; ret\n.size f,3\nend:\n"
	".section .debug_abbrev,\"\",@progbits\nabbrev:\n"
	".uleb128 1, 0x11\n.byte 1\n.uleb128 0x11, 1, 0x12, 1, 0, 0\n" /* unit: low, high pc */
	".uleb128 2, 0x04\n.byte 1\n.uleb128 0, 0\n" /* enumeration, children */
	".uleb128 3, 0x28\n.byte 0\n.rept 100000\n.uleb128 0x3f, 0x19\n.endr\n.uleb128 0, 0\n"
	".uleb128 0\n"
	".section .debug_info,\"\",@progbits\ninfo:\n"
	".long 2f - 1f\n1: .value 4\n.long abbrev - abbrev\n.byte 8\n"
	"unit: .uleb128 1\n.quad f, end\n"
	".uleb128 2\n.rept 100000\n.uleb128 3\n.endr\n.byte 0\n.byte 0\n2:\n";

static int see_name(void *arg, size_t which, enum name_source source,
		    const struct dwarf_frame *frames, u32 n)
{
	CHECK_INT(which, 0);
	CHECK_INT(source, NAME_FROM_SYMBOL);
	CHECK_INT(n, 1);
	CHECK_STR(frames[0].name, "f");
	++*(int *)arg;
	return 0;
}

static struct module open_module(const char *text, size_t len)
{
	struct module m = {.kind = MODULE_KIND_FILE, .root = TARGET_ROOT_NONE, .path = strdup("a")};

	fixture_write("a.s", text, len);
	fixture_run("gcc -static -nostdlib -Wl,-e,f -o a a.s");
	m.elf = elf_fixture_open(fixture_path("a"));
	return m;
}

static int resolve(struct module *m, const u64 *at, const struct budget_watch *watch,
		   module_name_fn found, void *arg)
{
	struct names_process *np;
	struct module_names_info info;
	int err;

	CHECK_INT(names_process_new(&np), 0);
	err = names_process_resolve(np, m, at, 1, watch, found, arg, &info);
	CHECK(!info.has_dwarf);
	names_process_free(np);
	return err;
}

static void close_module(struct module *m)
{
	elf_file_free(m->elf);
	free(m->path);
}

static const struct budget_watch a_minute = {.time_ns = 60 * 1000000000ull};

TEST(names_process, answers_as_without_a_process)
{
	static const char plain[] = ".text\n.globl f\n.type f,@function\nf: ret\n.size f,1\n";
	struct module m = open_module(plain, sizeof(plain) - 1);
	u64 at = vaddr_of("a", "f");
	int names = 0;

	CHECK_INT(resolve(&m, &at, &a_minute, see_name, &names), 0);
	CHECK_INT(names, 1);
	close_module(&m);
}

#define LARGE (30u << 20)

/* Opens a file whose names take 30 MB in all; "f" is one of them. */
static struct module open_large(void)
{
	static const char code[] = ".text\n.globl f\n.type f,@function\nf: ret\n.size f,1\n";
	char *text = malloc(LARGE + sizeof(code) + 4096);
	size_t len = sizeof(code) - 1;
	struct module m;

	CHECK(text);
	memcpy(text, code, len);
	while (len < LARGE) {
		static const size_t name = 512 << 10;

		memset(text + len, 'a' + (char)(len / name % 26), name);
		len += name;
		len += (size_t)sprintf(text + len, "%zu:\n", len);
	}
	m = open_module(text, len);
	free(text);
	return m;
}

/* What was read of a file stays in the process, but only up to a limit. */
TEST(names_process, many_large_files_do_not_fill_the_memory)
{
	enum { FILES = 16 };
	struct module first = open_large(), files[FILES];
	struct module_names_info info;
	struct names_process *np;
	u64 at = vaddr_of("a", "f");
	int names = 0, fd = open(fixture_path("a"), O_RDONLY | O_CLOEXEC);
	struct helper_cost cost;

	CHECK_INT(names_process_new(&np), 0);
	for (int i = 0; i < FILES; i++) {
		files[i] = first;
		CHECK_INT(elf_file_open(fd, &files[i].elf), 0);
	}
	for (int i = 0; i < FILES; i++)
		CHECK_INT(names_process_resolve(np, &files[i], &at, 1, &a_minute, see_name, &names,
						&info),
			  0);
	cost = names_process_end(np);
	names_process_free(np);
	for (int i = 0; i < FILES; i++)
		elf_file_free(files[i].elf);
	close(fd);
	close_module(&first);
	CHECK_INT(names, FILES);
#ifndef UNIT_SANITIZED
	CHECK(cost.memory_kb < 250 << 10);
#endif
}

/* The name comes from the symbol table, which needs no library. */
static void check_killed(const struct budget_watch *watch, int want_names)
{
	struct module m = open_module(endless, sizeof(endless) - 1);
	u64 at = vaddr_of("a", "f");
	int names = 0;

	CHECK_INT(resolve(&m, &at, watch, see_name, &names), -ETIMEDOUT);
	CHECK_INT(names, want_names);
	close_module(&m);
}

TEST(names_process, a_call_that_takes_too_much_cpu_is_killed)
{
	const struct budget_watch watch = {.cpu_ns = 100 * 1000000};

	check_killed(&watch, 1);
}

TEST(names_process, a_call_that_takes_too_long_is_killed)
{
	const struct budget_watch watch = {.time_ns = 100 * 1000000};

	check_killed(&watch, 1);
}

static bool stop_later(void *arg)
{
	return ++*(int *)arg > 20;
}

TEST(names_process, a_caller_who_wants_to_stop_does_not_wait)
{
	int asked = 0;
	const struct budget_watch watch = {.stop = stop_later, .arg = &asked};

	check_killed(&watch, 0);
}

/* ---- a process that crashes ------------------------------------------------------------------ */

/* In the process the module's file is missing, so it crashes. */
TEST(names_process, a_crash_costs_the_names_and_no_more)
{
	static const char plain[] = ".text\n.globl f\n.type f,@function\nf: ret\n.size f,1\n";
	struct module m = open_module(plain, sizeof(plain) - 1), broken = m;
	struct names_process *np;
	struct module_names_info info;
	u64 at = vaddr_of("a", "f");
	int names = 0;

	broken.elf = NULL;
	CHECK_INT(names_process_new(&np), 0);
	CHECK_INT(names_process_resolve(np, &broken, &at, 1, &a_minute, see_name, &names, &info),
		  -EIO);
	CHECK_INT(names, 0);
	/* The next module gets another process. */
	CHECK_INT(names_process_resolve(np, &m, &at, 1, &a_minute, see_name, &names, &info), 0);
	CHECK_INT(names, 1);
	names_process_free(np);
	close_module(&m);
}

/* ---- messages -------------------------------------------------------------------------------- */

struct exchange {
	struct names_writer writer;
	struct names_reader reader;
	int fds[2];
};

static void open_exchange(struct exchange *x)
{
	*x = (struct exchange){.writer = {.len = 0}};
	CHECK_INT(pipe(x->fds), 0);
	x->writer.fd = x->fds[1];
}

static void close_exchange(struct exchange *x)
{
	names_reader_release(&x->reader);
	close(x->fds[0]);
	close(x->fds[1]);
}

TEST(names_process, messages_arrive_as_they_were_sent)
{
	const struct dwarf_frame sent[2] = {
		{.name = "inner", .file = "a.c", .line = 7, .start_line = 3},
		{.name = "outer", .linkage_name = "_Z5outerv", .directory = "/src", .low_pc = 9}};
	struct exchange *x = malloc(sizeof(*x));
	struct names_finish finish = {.err = -ENOMEM, .has_dwarf = 1}, came;
	struct names_answer a;

	CHECK(x);
	open_exchange(x);
	CHECK_INT(names_write_answer(&x->writer, 5, NAME_FROM_DWARF, sent, 2), 0);
	CHECK_INT(names_write_finish(&x->writer, &finish), 0);
	CHECK_INT(names_next(&x->reader, &a, &came), NAMES_INCOMPLETE);
	CHECK(names_read(&x->reader, x->fds[0]) > 0);
	CHECK_INT(names_next(&x->reader, &a, &came), NAMES_ANSWER);
	CHECK_INT(a.which, 5);
	CHECK_INT(a.source, NAME_FROM_DWARF);
	CHECK_INT(a.n, 2);
	CHECK_STR(a.frames[0].name, "inner");
	CHECK_STR(a.frames[0].file, "a.c");
	CHECK(!a.frames[0].linkage_name && !a.frames[0].directory);
	CHECK_INT(a.frames[0].line, 7);
	CHECK_INT(a.frames[0].start_line, 3);
	CHECK_STR(a.frames[1].linkage_name, "_Z5outerv");
	CHECK_STR(a.frames[1].directory, "/src");
	CHECK_INT(a.frames[1].low_pc, 9);
	CHECK_INT(names_next(&x->reader, &a, &came), NAMES_FINISH);
	CHECK_INT(came.err, -ENOMEM);
	CHECK_INT(came.has_dwarf, 1);
	close_exchange(x);
	free(x);
}

/* Every byte of a message is changed in turn, and the result is either refused or within bounds. */
TEST(names_process, broken_messages_are_refused)
{
	const struct dwarf_frame sent = {.name = "inner", .file = "a.c"};
	struct exchange *x = malloc(sizeof(*x));
	struct names_finish came;
	struct names_answer a;
	size_t len;

	CHECK(x);
	open_exchange(x);
	CHECK_INT(names_write_answer(&x->writer, 5, NAME_FROM_DWARF, &sent, 1), 0);
	len = x->writer.len;
	for (size_t i = 0; i < len; i++) {
		for (int value = 0; value < 256; value += 51) {
			int kind;

			CHECK_INT(vec_reserve(&x->reader.bytes, len), 0);
			memcpy(x->reader.bytes.data, x->writer.bytes, len);
			x->reader.bytes.data[i] = (u8)value;
			x->reader.bytes.len = len;
			x->reader.at = 0;
			kind = names_next(&x->reader, &a, &came);
			CHECK(kind == NAMES_INCOMPLETE || kind == NAMES_ANSWER || kind == -EBADMSG);
			if (kind == NAMES_ANSWER && a.n)
				CHECK(!a.frames[0].name || strlen(a.frames[0].name) <= 5);
		}
	}
	close_exchange(x);
	free(x);
}
