/* SPDX-License-Identifier: Apache-2.0 */
/* Names that take for ever inside a library, and callers that do not wait for them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"
#include "name_fixture.h"
#include "symbol/names_thread.h"
#include "unit.h"

/*
 * A type with 100,000 members, each with 100,000 attributes that take no byte in .debug_info: to
 * find what follows the type libdw looks at ten thousand million attributes in a single call.
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
	int fd;

	fixture_write("a.s", text, len);
	fixture_run("gcc -static -nostdlib -Wl,-e,f -o a a.s");
	fd = open(fixture_path("a"), O_RDONLY | O_CLOEXEC);
	CHECK_INT(elf_file_open(fd, &m.elf), 0);
	close(fd);
	return m;
}

TEST(names_thread, answers_as_without_a_thread)
{
	static const char plain[] = ".text\n.globl f\n.type f,@function\nf: ret\n.size f,1\n";
	struct module m = open_module(plain, sizeof(plain) - 1);
	const struct budget_watch watch = {.time_ns = 60 * 1000000000ull};
	struct module_names_info info;
	u64 at = vaddr_of("a", "f");
	int names = 0;

	CHECK_INT(names_thread_resolve(&m, &at, 1, &watch, see_name, &names, &info), 0);
	CHECK_INT(names, 1);
	CHECK(!info.has_dwarf);
	CHECK(m.elf != NULL);
	elf_file_free(m.elf);
	free(m.path);
}

static void check_left_behind(const struct budget_watch *watch)
{
	struct module m = open_module(endless, sizeof(endless) - 1);
	struct module_names_info info;
	u64 at = vaddr_of("a", "f");
	int names = 0;

	CHECK_INT(names_thread_resolve(&m, &at, 1, watch, see_name, &names, &info), -ETIMEDOUT);
	CHECK_INT(names, 0);
	CHECK(!m.elf); /* the thread has it */
	free(m.path);
}

TEST(names_thread, a_call_that_takes_too_much_cpu_is_left_behind)
{
	const struct budget_watch watch = {.cpu_ns = 100 * 1000000};

	check_left_behind(&watch);
}

TEST(names_thread, a_call_that_takes_too_long_is_left_behind)
{
	const struct budget_watch watch = {.time_ns = 100 * 1000000};

	check_left_behind(&watch);
}

/* Once so much CPU time has been used that libdw must be at work. */
static bool stop_later(void *arg)
{
	struct timespec cpu;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	return cpu.tv_sec || cpu.tv_nsec > 500000000;
}

TEST(names_thread, a_caller_who_wants_to_stop_does_not_wait)
{
	const struct budget_watch watch = {.stop = stop_later};

	check_left_behind(&watch);
}
