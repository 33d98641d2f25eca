/* SPDX-License-Identifier: Apache-2.0 */
/* Which files give a module its rows. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collect/session/module_rows.h"
#include "fixture.h"
#include "name_fixture.h"
#include "unit.h"

static const char program[] =
	"__attribute__((noinline)) int leaf(int n) { asm volatile(\"\" : \"+r\"(n)); return n; }\n"
	"__attribute__((noinline)) int outer(int n) { return leaf(n) + leaf(n + 1); }\n"
	"int main(int argc, char **argv) { return outer(argc) + outer(argc + 2); }\n";

/* Returns how many functions of the file "prog" have call frame information. There always is a rule
 * for the address, from the code if need be. */
static u32 functions_with_cfi(u64 vaddr)
{
	struct unwind_rule *rules = calloc(UNWIND_MAX_RULES, sizeof(*rules));
	struct module m = {.kind = MODULE_KIND_FILE};
	struct rule_set *set;
	struct rows *rows;
	u64 offset;
	u32 functions;
	int fd;

	m.path = strdup(fixture_path("prog"));
	CHECK_INT(target_root_ours(&m.root), 0);
	fd = open(m.path, O_RDONLY | O_CLOEXEC);
	CHECK_INT(elf_file_open(fd, &m.elf), 0);
	close(fd);
	CHECK_INT(rule_set_new(rules, UNWIND_MAX_RULES, &set), 0);
	CHECK_INT(module_rows_build(&m, set, &rows), 0);
	CHECK(!rows->frame_pointers);
	CHECK(elf_file_vaddr_to_offset(m.elf, vaddr, &offset));
	CHECK(rows_find(rows, offset) != UNWIND_RULE_NONE);
	functions = rows->nfunctions;
	rows_free(rows);
	rule_set_free(set);
	free(rules);
	elf_file_free(m.elf);
	target_root_release(&m.root);
	free(m.path);
	return functions;
}

/*
 * The start-up code and the PLT always have tables, and the program's own code has none but those
 * in the debug file.
 */
TEST(module_rows, debug_frame_of_the_debug_file_adds_to_own_tables)
{
	u32 all, own;
	u64 outer;

	fixture_write("prog.c", program, sizeof(program) - 1);
	fixture_run("gcc -O2 -g -fno-asynchronous-unwind-tables -fno-unwind-tables "
		    "-fomit-frame-pointer -o prog prog.c");
	outer = vaddr_of("prog", "outer") + 1;
	all = functions_with_cfi(outer);
	fixture_run("objcopy --only-keep-debug prog prog.debug && strip prog");
	own = functions_with_cfi(outer);
	CHECK_INT(all, own + 3);
	fixture_run("objcopy --add-gnu-debuglink=prog.debug prog");
	CHECK_INT(functions_with_cfi(outer), all);
	fixture_run("objcopy --compress-debug-sections=zstd prog.debug");
	CHECK_INT(functions_with_cfi(outer), all);
}
