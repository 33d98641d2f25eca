/* SPDX-License-Identifier: Apache-2.0 */
/* Names of PLT stubs in the layouts that linkers make, compared with objdump's own. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elf_fixture.h"
#include "fixture.h"
#include "symbol/plt.h"
#include "unit.h"

static const char source[] = "#include <stdlib.h>\n#include <stdio.h>\n"
			     "void (*keep)(void *) = free;\n"
			     "int main(int n, char **v) { free(malloc(n)); return puts(v[0]); }\n";

static struct elf_file *build(const char *flags)
{
	fixture_write("p.c", source, sizeof(source) - 1);
	fixture_run("gcc -O1 -fno-builtin %s -o p p.c", flags);
	return elf_fixture_open(fixture_path("p"));
}

/* The listing of objdump has lines like "0000000000001030 <puts@plt>:". */
static void check_like_objdump(const char *flags)
{
	struct elf_file *elf = build(flags);
	char line[256], name[128];
	struct plt *plt;
	uint64_t vaddr;
	int seen = 0;
	FILE *f;

	CHECK_INT(plt_new(elf, &plt), 0);
	fixture_run("objdump -d p | grep '@plt>:' > list");
	f = fopen(fixture_path("list"), "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		const struct symbol *stub;

		CHECK_INT(sscanf(line, "%" SCNx64 " <%127[^>]>", &vaddr, name), 2);
		stub = plt_find(plt, vaddr);
		CHECK(stub);
		CHECK_STR(stub->name, name);
		CHECK_INT(stub->start, vaddr);
		CHECK(plt_find(plt, vaddr + 5) == stub);
		seen++;
	}
	fclose(f);
	CHECK(seen >= 2);
	plt_free(plt);
	elf_file_free(elf);
}

TEST(plt, lazy_stubs_are_named_as_objdump_names_them)
{
	check_like_objdump("-Wl,-z,lazy");
}

TEST(plt, eager_stubs_are_named)
{
	check_like_objdump("-Wl,-z,now");
}

TEST(plt, stubs_behind_endbr64_are_named)
{
	check_like_objdump("-fcf-protection=full -Wl,-z,ibtplt -Wl,-z,lazy");
}

TEST(plt, stubs_of_programs_without_pie_are_named)
{
	check_like_objdump("-no-pie -fno-pie");
}

/* A function with several implementations is called through a slot that has a resolver but not a
 * symbol. */
TEST(plt, stubs_of_own_functions_with_resolvers_are_named)
{
	static const char text[] =
		"static void one(void) {}\n"
		"static void (*choose(void))(void) { return one; }\n"
		"void several(void) __attribute__((ifunc(\"choose\")));\n"
		"extern void own(void)\n"
		"	__attribute__((alias(\"several\"), visibility(\"hidden\")));\n"
		"__asm__(\".globl caller\\ncaller: call own@plt\\nret\\n\");\n";
	const struct symbol *stub = NULL;
	struct elf_file *elf;
	struct plt *plt;

	fixture_write("i.c", text, sizeof(text) - 1);
	fixture_run("gcc -O1 -fPIC -shared -Wl,-z,lazy -o i.so i.c");
	elf = elf_fixture_open(fixture_path("i.so"));
	CHECK_INT(plt_new(elf, &plt), 0);
	for (uint64_t vaddr = 0x1000; vaddr < 0x1100 && !stub; vaddr += 8)
		stub = plt_find(plt, vaddr);
	CHECK(stub);
	CHECK_STR(stub->name, "several@plt");
	plt_free(plt);
	elf_file_free(elf);
}

TEST(plt, a_static_program_has_none)
{
	struct elf_file *elf =
		build("-nostdlib -static -Wl,-e,main -Wl,--unresolved-symbols=ignore-all");
	struct plt *plt;

	CHECK_INT(plt_new(elf, &plt), -ENOENT);
	elf_file_free(elf);
}
